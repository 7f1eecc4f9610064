// Where on the data's way: before the shard; from what the coordinator says to a shard ready to serve.
#ifndef DOWNPOUR_SERVER_SHARD_SHARD_START_H_
#define DOWNPOUR_SERVER_SHARD_SHARD_START_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/coordinator.pb.h"
#include "server/shard/parameter_shard.h"
#include "server/storage/folder_lock.h"

namespace downpour {

// A shard's checkpoint file for this process alone.
struct ShardClaim {
  uint32_t shard = 0;
  FolderLock lock;
};
// FAILED_PRECONDITION: another process serves the shard from this folder. UNAVAILABLE: no lock file can be
// made.
absl::StatusOr<ShardClaim> ClaimShard(const std::string& state_dir, uint32_t shard);
// The lowest shard that has a checkpoint in `state_dir` and is served by no other process, if there is one:
// what a server that was told no index takes up again.
absl::StatusOr<std::optional<ShardClaim>> ClaimShardLeft(const std::string& state_dir);

// The options of every shard of a run, in order. Statuses as NetworkLayout and ShardMap::Create.
absl::StatusOr<std::vector<ParameterShard::Options>> ShardOptions(const RunDescription& description,
                                                                  const std::string& run_id,
                                                                  const DataSummary& data);
// A shard with the run's initial parameters. Statuses as ParameterShard::Create.
absl::StatusOr<std::unique_ptr<ParameterShard>> CreateShard(ParameterShard::Options options,
                                                            const RunDescription& description);

// The shard that `registered` names: from its checkpoint in `state_dir` if there is one, else with the run's
// initial parameters, and a checkpoint of them is written. FAILED_PRECONDITION: the checkpoint is of another
// run, the run has no such shard, or this program lays the parameters out otherwise than the coordinator.
// Other statuses as LoadShardSnapshot, SaveShardSnapshot, NetworkLayout and ShardMap::Create.
absl::StatusOr<std::unique_ptr<ParameterShard>> StartShard(const RegisterShardReply& registered,
                                                           const std::string& state_dir);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_SHARD_START_H_
