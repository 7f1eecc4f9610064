// Where on the data's way: before the shard; from what the coordinator says to a shard ready to serve.
#include "server/shard_start.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/network_layout.h"
#include "common/shard_map.h"
#include "common/status_macros.h"
#include "server/checkpointer.h"
#include "spdlog/spdlog.h"

namespace downpour {

absl::StatusOr<std::unique_ptr<ParameterShard>> StartShard(const RegisterShardReply& registered,
                                                           const std::string& state_dir) {
  const RunDescription& description = registered.description();
  ASSIGN_OR_RETURN(ParameterLayout layout, NetworkLayout(description.network(), registered.data().input_dim(),
                                                         registered.data().classes()));
  if (layout.fingerprint() != registered.run().layout_fingerprint()) {
    return absl::FailedPreconditionError(absl::StrCat("the coordinator's parameter layout has fingerprint ",
                                                      registered.run().layout_fingerprint(),
                                                      ", this shard's has ", layout.fingerprint()));
  }
  ASSIGN_OR_RETURN(const ShardMap map, ShardMap::Create(layout.size(), description.cluster().shards()));
  ParameterShard::Options options;
  options.run = {registered.run().run_id(), registered.run().layout_fingerprint()};
  options.shard = registered.shard();
  options.range = map.range(static_cast<int>(registered.shard()));
  options.layout = layout;
  options.optimizer = description.optimizer();

  const std::string path = ShardCheckpointPath(state_dir, registered.shard());
  const absl::StatusOr<ShardSnapshot> snapshot = LoadShardSnapshot(path);
  if (absl::IsNotFound(snapshot.status())) {
    std::vector<float> parameters(options.range.size());
    InitializeParameters(layout, description.network().nonlinearity(), description.seed(), options.range,
                         absl::MakeSpan(parameters));
    return ParameterShard::Create(std::move(options), parameters);
  }
  RETURN_IF_ERROR(snapshot.status());
  absl::StatusOr<std::unique_ptr<ParameterShard>> shard =
      ParameterShard::Restore(std::move(options), *snapshot);
  if (!shard.ok())
    return absl::Status(shard.status().code(), absl::StrCat(path, ": ", shard.status().message()));
  spdlog::info("shard {} goes on from {} at version {}", registered.shard(), path, (*shard)->version());
  return shard;
}

}  // namespace downpour
