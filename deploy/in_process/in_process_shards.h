// Where on the data's way: the server's side of an in-process cluster: all shards of a run.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_SHARDS_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_SHARDS_H_

#include "server/coordinator/coordinator.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// In the order of their key ranges. Each shard is thread-safe.
using InProcessShards = std::vector<std::unique_ptr<ParameterShard>>;

// Makes shards with the run's initial parameters or, if `snapshots` is not null, as these hold them.
// INVALID_ARGUMENT: as ShardOptions and CreateShard of server/shard/shard_start.h. FAILED_PRECONDITION: as
// ParameterShard::Restore, or the number of snapshots is not cluster.shards.
absl::StatusOr<InProcessShards> MakeShards(const RunDescription& description, const std::string& run_id,
                                           const DataSummary& data,
                                           const std::vector<ShardSnapshot>* snapshots);

// Makes the data and the run's `shards` shards known to the coordinator. Returns its replies, one per shard
// in order. Statuses as Coordinator::Join and Coordinator::RegisterShard.
absl::StatusOr<std::vector<RegisterShardReply>> RegisterShards(int shards, const DataSummary& data,
                                                               Coordinator& coordinator);

// Copies the whole parameter vector, one shard after the other; pushes may be applied in between.
absl::Status ReadParameters(const InProcessShards& shards, absl::Span<float> parameters);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_SHARDS_H_
