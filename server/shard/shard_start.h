// Where on the data's way: where a shard begins; what the coordinator says becomes a shard that serves.
#ifndef DOWNPOUR_SERVER_SHARD_SHARD_START_H_
#define DOWNPOUR_SERVER_SHARD_SHARD_START_H_

#include <cstdint>
#include <optional>
#include <string>

#include "proto/coordinator.pb.h"
#include "server/shard/parameter_shard.h"
#include "server/storage/folder_lock.h"

namespace downpour {

// The right of this process alone to serve a shard from a folder and to write its checkpoint file there.
struct ShardClaim {
  uint32_t shard = 0;
  FolderLock lock;
};
// ABORTED: another process serves the shard from here. UNAVAILABLE: the lock file cannot be made.
absl::StatusOr<ShardClaim> ClaimShard(const std::string& state_dir, uint32_t shard);
// For a server that is started without an index: the lowest shard that was served from `state_dir` before, as
// a checkpoint or a lock file says, and that no process serves now, if any. UNAVAILABLE: the folder cannot be
// listed, or as ClaimShard().
absl::StatusOr<std::optional<ShardClaim>> ClaimShardLeft(const std::string& state_dir);

// The options of every shard of a run, by index; a schedule's length in epochs becomes one in updates.
// Statuses as NetworkLayout() and ShardMap::Create().
absl::StatusOr<std::vector<ParameterShard::Options>> ShardOptions(const RunDescription& description,
                                                                  const std::string& run_id,
                                                                  const DataSummary& data);
// Bytes of a shard's parameters and optimizer state. Statuses as Optimizer::Create().
absl::StatusOr<double> ShardBytes(const ParameterShard::Options& options);
// A shard with the run's initial parameters. Statuses as ParameterShard::Create().
absl::StatusOr<std::unique_ptr<ParameterShard>> CreateShard(ParameterShard::Options options,
                                                            const RunDescription& description);

// What becomes of a shard without a checkpoint in a run that has made updates. kInitialParameters is the
// flag --initial_parameters: what the shard had learnt is given up.
enum class LostState { kRefused, kInitialParameters };

// The shard that `registered` names, in its view. If `state_dir` has a checkpoint of it, it goes on from there; else it
// gets the run's initial parameters, and a first checkpoint is written. FAILED_PRECONDITION: there is no
// checkpoint, the run has made updates, and `lost` is kRefused; the checkpoint is of another run, the run has
// no such shard, this process cannot have as much memory as the shard needs, or this program gives the
// parameters another layout than the coordinator. Others as ShardOptions(), LoadShardSnapshot() and
// SaveShardSnapshot(). `segment_elements` as in ParameterShard::Options.
absl::StatusOr<std::unique_ptr<ParameterShard>> StartShard(
    const RegisterShardReply& registered, const std::string& state_dir, LostState lost = LostState::kRefused,
    int64_t segment_elements = ParameterShard::kSegmentElements);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_SHARD_START_H_
