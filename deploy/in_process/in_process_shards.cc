// Where on the data's way: makes shards from a description or snapshots and registers them.
#include "deploy/in_process/in_process_shards.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/shard/shard_start.h"

namespace downpour {

absl::StatusOr<InProcessShards> MakeShards(const RunDescription& description, const std::string& run_id,
                                           const DataSummary& data,
                                           const std::vector<ShardSnapshot>* snapshots) {
  ASSIGN_OR_RETURN(std::vector<ParameterShard::Options> options, ShardOptions(description, run_id, data));
  if (snapshots != nullptr && options.size() != snapshots->size()) {
    return absl::FailedPreconditionError(absl::StrCat("the checkpoint has ", snapshots->size(),
                                                      " shards, cluster.shards is ", options.size()));
  }
  InProcessShards shards;
  for (size_t i = 0; i < options.size(); ++i) {
    ASSIGN_OR_RETURN(shards.emplace_back(),
                     snapshots == nullptr ? CreateShard(std::move(options[i]), description)
                                          : ParameterShard::Restore(std::move(options[i]), (*snapshots)[i]));
  }
  return shards;
}

absl::StatusOr<std::vector<RegisterShardReply>> RegisterShards(int shards, const DataSummary& data,
                                                               Coordinator& coordinator) {
  ASSIGN_OR_RETURN(const DescribeReply known, coordinator.Describe({}));
  JoinRequest join;
  *join.mutable_data() = data;
  // In a new run this brings the data summary, as only a replica can. Nobody joins before there are shards.
  join.set_evaluator(known.has_data());
  const absl::Status joined = coordinator.Join(join).status();
  if (!joined.ok() && !absl::IsUnavailable(joined)) return joined;
  std::vector<RegisterShardReply> replies;
  for (int shard = 0; shard < shards; ++shard) {
    RegisterShardRequest request;
    request.set_shard(shard);
    ASSIGN_OR_RETURN(replies.emplace_back(), coordinator.RegisterShard(request));
  }
  return replies;
}

absl::Status ReadParameters(const InProcessShards& shards, absl::Span<float> parameters) {
  for (const auto& shard : shards) {
    const KeyRange range = shard->range();
    RETURN_IF_ERROR(shard->Read(range, parameters.subspan(range.begin, range.size())));
  }
  return absl::OkStatus();
}

}  // namespace downpour
