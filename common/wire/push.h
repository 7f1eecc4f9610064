// Where on the data's way: goes with each push from replica to shard, and back with the shard's answer.
#ifndef DOWNPOUR_COMMON_WIRE_PUSH_H_
#define DOWNPOUR_COMMON_WIRE_PUSH_H_

#include <cstdint>
#include <string>

namespace downpour {

// Names a run and its parameter layout, and in which view of the shard a request is meant to be answered. A
// shard refuses requests that name another run, layout or view.
struct RunKey {
  std::string run_id;
  uint32_t layout_fingerprint = 0;
  uint64_t view = 0;  // as ShardAddress.view (proto/coordinator.proto); 0: whichever it is
  friend bool operator==(const RunKey&, const RunKey&) = default;
};

// (replica_id, incarnation, sequence) identifies a push for ever: no other push has the same three numbers.
// The token proves the first two.
struct PushHeader {
  uint64_t replica_id = 0;
  uint64_t incarnation = 0;      // grows each time the replica restarts
  uint64_t sequence = 0;         // 1, 2, 3, ... within one incarnation
  uint64_t fetched_version = 0;  // of the parameters that the gradient was computed from
  std::string token = {};        // JoinReply.token; empty where shard and replica are one process
};

struct PushOutcome {
  uint64_t version = 0;    // pushes the shard has applied
  uint64_t staleness = 0;  // updates the shard made between that fetch and this push
  bool duplicate = false;  // already applied; not applied again
  bool late = false;       // of a round that had ended (common/program/rounds.h); not applied
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_PUSH_H_
