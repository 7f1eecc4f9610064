// Where on the data's way: before the shard; from what the coordinator says to a shard ready to serve.
#include "server/shard_start.h"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/network_layout.h"
#include "common/shard_map.h"
#include "common/status_macros.h"
#include "server/checkpointer.h"
#include "spdlog/spdlog.h"

namespace downpour {

absl::StatusOr<ShardClaim> ClaimShard(const std::string& state_dir, uint32_t shard) {
  absl::StatusOr<FolderLock> lock = FolderLock::Acquire(state_dir, absl::StrCat(".lock-shard-", shard));
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("another process serves shard ", shard, " from ", state_dir));
  }
  RETURN_IF_ERROR(lock.status());
  return ShardClaim{shard, *std::move(lock)};
}

absl::StatusOr<std::optional<ShardClaim>> ClaimShardLeft(const std::string& state_dir) {
  std::set<uint32_t> shards;
  std::error_code error;
  for (std::filesystem::directory_iterator file(state_dir, error), end; !error && file != end;
       file.increment(error)) {
    const std::string name = file->path().filename().string();
    absl::string_view number = name;
    uint32_t shard;
    if (absl::ConsumePrefix(&number, "shard-") && absl::ConsumeSuffix(&number, ".ckpt") &&
        absl::SimpleAtoi(number, &shard))
      shards.insert(shard);
  }
  if (error) return absl::UnavailableError(absl::StrCat("cannot list ", state_dir, ": ", error.message()));
  for (const uint32_t shard : shards) {
    absl::StatusOr<ShardClaim> claim = ClaimShard(state_dir, shard);
    if (claim.ok()) return std::optional(*std::move(claim));
    if (!absl::IsFailedPrecondition(claim.status())) return claim.status();
  }
  return std::nullopt;
}

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
  if (registered.shard() >= static_cast<uint32_t>(map.shards())) {
    return absl::FailedPreconditionError(absl::StrCat("the coordinator names this shard ", registered.shard(),
                                                      ", want one of its ", map.shards()));
  }
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
    if (registered.updates() > 0) {
      spdlog::warn("shard {}: no {}, so it starts from initial parameters in a run of {} updates",
                   registered.shard(), path, registered.updates());
    }
    ASSIGN_OR_RETURN(std::unique_ptr<ParameterShard> created,
                     ParameterShard::Create(std::move(options), parameters));
    RETURN_IF_ERROR(SaveShardSnapshot(path, created->Snapshot()));
    return created;
  }
  RETURN_IF_ERROR(snapshot.status());
  absl::StatusOr<std::unique_ptr<ParameterShard>> shard =
      ParameterShard::Restore(std::move(options), *snapshot);
  if (!shard.ok())
    return absl::Status(shard.status().code(), absl::StrCat(path, ": ", shard.status().message()));
  spdlog::info("shard {} goes on from {} at version {}; the run has {} updates", registered.shard(), path,
               (*shard)->version(), registered.updates());
  return shard;
}

}  // namespace downpour
