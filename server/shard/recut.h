// Where on the data's way: parameters at rest; the checkpoints of a run's shards become those of others.
#ifndef DOWNPOUR_SERVER_SHARD_RECUT_H_
#define DOWNPOUR_SERVER_SHARD_RECUT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// The same parameters and optimizer state, cut into the ranges of `shards` shards. `old` are all shards of
// the run, by index. Each key keeps its bits.
//
// A new shard's version is the highest of the old shards whose keys it takes, so that no key's update number
// falls. Its ledger has, for each replica, the newest push of those shards, as complete: that push may have
// reached only some of them, but who is asked to apply a push twice cannot know which of its keys have it, so
// what is missing of it stays away, as where a replica dies while it pushes. Such a push counts in
// pushes_partial. The replicas must join anew (as new incarnations), which then begin with other pushes. So
// no key gets a push twice, and all that was acknowledged stays.
//
// INVALID_ARGUMENT: as ShardMap::Create(). FAILED_PRECONDITION: `old` are not all shards of one run; the
// message says where.
absl::StatusOr<std::vector<ShardSnapshot>> Recut(const std::vector<ShardSnapshot>& old, int shards);

// Re-cuts the files of all shards in `directory`, unless they are of just so many. A crash leaves the old
// files or the new ones; the next call finishes it. FAILED_PRECONDITION: also if a shard's file is missing,
// or a server is at work with one. Other statuses as Recut(), LoadShardSnapshot() and SaveShardSnapshot().
absl::Status RecutCheckpoints(const std::string& directory, int shards);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_RECUT_H_
