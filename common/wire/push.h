// Where on the data's way: what a push says beside its gradient, from pusher to shard, and what the shard
// answers.
#ifndef DOWNPOUR_COMMON_WIRE_PUSH_H_
#define DOWNPOUR_COMMON_WIRE_PUSH_H_

#include <cstdint>
#include <string>

namespace downpour {

// Names the run and its parameter layout; a shard refuses a request that names others.
struct RunKey {
  std::string run_id;
  uint32_t layout_fingerprint = 0;
  friend bool operator==(const RunKey&, const RunKey&) = default;
};

// (replica_id, incarnation, sequence) makes a push unique for ever, at full width.
struct PushHeader {
  uint64_t replica_id = 0;
  uint64_t incarnation = 0;      // grows each time the replica restarts
  uint64_t sequence = 0;         // 1, 2, 3, ... within one incarnation
  uint64_t fetched_version = 0;  // of the parameters that the gradient was computed from
};

struct PushOutcome {
  uint64_t version = 0;    // updates the shard has applied
  uint64_t staleness = 0;  // updates the shard applied between that fetch and this push
  bool duplicate = false;  // already applied; not applied again
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_PUSH_H_
