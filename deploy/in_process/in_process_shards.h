// Where on the data's way: the server's end of it in an in-process cluster: all shards of a run side by side.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_SHARDS_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_SHARDS_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/coordinator/coordinator.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// By ascending range. Each is thread-safe.
using InProcessShards = std::vector<std::unique_ptr<ParameterShard>>;

// Shards with the run's initial parameters. INVALID_ARGUMENT: as ShardOptions and CreateShard of
// server/shard/shard_start.h.
absl::StatusOr<InProcessShards> CreateShards(const RunDescription& description, const std::string& run_id,
                                             const DataSummary& data);

// Shards as their snapshots say. FAILED_PRECONDITION: as ParameterShard::Restore, or another number of
// shards.
absl::StatusOr<InProcessShards> RestoreShards(const RunDescription& description, const std::string& run_id,
                                              const DataSummary& data,
                                              absl::Span<const ShardSnapshot> snapshots);

// Makes the data and the run's `shards` shards known to the coordinator. Returns its replies, one per shard in order.
// Statuses as Coordinator::Join and Coordinator::RegisterShard.
absl::StatusOr<std::vector<RegisterShardReply>> RegisterShards(int shards, const DataSummary& data,
                                                               Coordinator& coordinator);

// The whole parameter vector, each shard's part as it is when its turn comes.
absl::Status ReadParameters(const InProcessShards& shards, absl::Span<float> parameters);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_SHARDS_H_
