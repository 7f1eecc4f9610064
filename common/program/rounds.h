// Where on the data's way: common/program, in the run description; how many pushes make an update.
#ifndef DOWNPOUR_COMMON_PROGRAM_ROUNDS_H_
#define DOWNPOUR_COMMON_PROGRAM_ROUNDS_H_

#include <cstdint>

#include "proto/config.pb.h"

namespace downpour {

// The rounds of cluster.consistency SYNCHRONOUS. A shard's version is the number of pushes that it has
// applied. Each of the first `warm_start` pushes is an update of its own; from then on every `pushes` of them
// make one round and one update.
struct Rounds {
  uint64_t pushes = 0;  // 0: there are no rounds, and every push is an update
  uint64_t warm_start = 0;

  // The updates that a shard of this version has made.
  uint64_t UpdatesAt(uint64_t version) const {
    return pushes == 0 || version < warm_start ? version : warm_start + (version - warm_start) / pushes;
  }
  // Whether a push that begins at `version` is late: its round has ended since its parameters were fetched.
  bool IsLate(uint64_t fetched_version, uint64_t version) const {
    return pushes > 0 && version >= warm_start && UpdatesAt(fetched_version) < UpdatesAt(version);
  }
};

// The rounds of a valid description.
inline Rounds RoundsOf(const ClusterDescription& cluster) {
  switch (cluster.consistency()) {
    case ClusterDescription::ASYNCHRONOUS:
    case ClusterDescription::BOUNDED:
      return {};
    case ClusterDescription::SYNCHRONOUS:
      return {.pushes = static_cast<uint64_t>(cluster.replicas() - cluster.backup_replicas()),
              .warm_start = static_cast<uint64_t>(cluster.warm_start_updates())};
  }
  return {};  // not reached: the description is valid
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_ROUNDS_H_
