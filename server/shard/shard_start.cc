// Where on the data's way: where a shard begins; its range is computed, its parameters drawn or loaded.
#include "server/shard/shard_start.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/back_off.h"
#include "common/file/file.h"
#include "common/layout/network_layout.h"
#include "common/layout/shard_map.h"
#include "common/program/logging.h"
#include "common/program/memory.h"
#include "common/status_macros.h"
#include "server/shard/checkpointer.h"

namespace downpour {

namespace {

PushLimits LimitsOf(const RunDescription& description) {
  PushLimits limits;
  limits.replicas =
      std::max<size_t>(limits.replicas, 4 * static_cast<size_t>(description.cluster().replicas()));
  // Noise drops more pushes than this in a row once in 10^18 times.
  if (const double dropped = description.noise().push_drop_share(); dropped > 0)
    limits.skipped += static_cast<uint64_t>(std::ceil(-18 / std::log10(dropped)));
  return limits;
}

constexpr absl::string_view kLockPrefix = ".lock-shard-";

// The shard that a file in the state folder belongs to, by its name.
std::optional<uint32_t> ShardOfFile(absl::string_view name) {
  uint32_t shard;
  absl::ConsumeSuffix(&name, PreviousGeneration(""));
  const bool checkpoint = absl::ConsumePrefix(&name, "shard-") && absl::ConsumeSuffix(&name, ".ckpt");
  if ((checkpoint || absl::ConsumePrefix(&name, kLockPrefix)) && absl::SimpleAtoi(name, &shard)) return shard;
  return std::nullopt;
}

}  // namespace

absl::StatusOr<ShardClaim> ClaimShard(const std::string& state_dir, uint32_t shard) {
  absl::StatusOr<FolderLock> lock = FolderLock::Acquire(state_dir, absl::StrCat(kLockPrefix, shard));
  if (absl::IsAborted(lock.status())) {
    return absl::AbortedError(absl::StrCat("another process serves shard ", shard, " from ", state_dir));
  }
  RETURN_IF_ERROR(lock.status());
  return ShardClaim{shard, *std::move(lock)};
}

absl::StatusOr<std::optional<ShardClaim>> ClaimShardLeft(const std::string& state_dir) {
  std::set<uint32_t> shards;
  std::error_code error;
  for (std::filesystem::directory_iterator file(state_dir, error), end; !error && file != end;
       file.increment(error)) {
    if (const auto shard = ShardOfFile(file->path().filename().string())) shards.insert(*shard);
  }
  if (error) return absl::UnavailableError(absl::StrCat("cannot list ", state_dir, ": ", error.message()));
  for (const uint32_t shard : shards) {
    absl::StatusOr<ShardClaim> claim = ClaimShard(state_dir, shard);
    if (claim.ok()) return std::optional(*std::move(claim));
    if (!absl::IsAborted(claim.status())) return claim.status();
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<ParameterShard::Options>> ShardOptions(const RunDescription& description,
                                                                  const std::string& run_id,
                                                                  const DataSummary& data) {
  ASSIGN_OR_RETURN(const ParameterLayout layout,
                   NetworkLayout(description.network(), data.input_dim(), data.classes()));
  ASSIGN_OR_RETURN(const ShardMap map, ShardMap::Create(layout.size(), description.cluster().shards()));
  const ClusterDescription& cluster = description.cluster();
  WarmStart warm_start;
  if (cluster.has_warm_start_optimizer() && cluster.warm_start_updates() > 0) {
    *warm_start.mutable_optimizer() = cluster.warm_start_optimizer();
    warm_start.set_updates(cluster.warm_start_updates());
  }
  const Rounds rounds = RoundsOf(cluster);
  OptimizerDescription optimizer = description.optimizer();
  if (const double epochs = optimizer.schedule().epochs(); epochs > 0) {
    const double frames_of_a_push = static_cast<double>(cluster.minibatch()) * cluster.n_push();
    const double pushes = std::ceil(epochs * static_cast<double>(data.frames()) / frames_of_a_push);
    const uint64_t updates = rounds.UpdatesAt(static_cast<uint64_t>(std::min(pushes, 1e18)));
    optimizer.mutable_schedule()->set_updates(static_cast<int64_t>(std::max<uint64_t>(updates, 1)));
    optimizer.mutable_schedule()->clear_epochs();
  }
  if (optimizer.kind() == OptimizerDescription::VSGD) {
    if (optimizer.minibatch() == 0) optimizer.set_minibatch(cluster.minibatch());
    if (optimizer.slow_start() == 0) optimizer.set_slow_start(static_cast<float>(layout.size()) / 10);
  }
  std::vector<ParameterShard::Options> options;
  options.reserve(map.shards());
  for (int shard = 0; shard < map.shards(); ++shard) {
    ParameterShard::Options& of_shard = options.emplace_back();
    of_shard.run = RunKey{run_id, layout.fingerprint()};
    of_shard.shard = static_cast<uint32_t>(shard);
    of_shard.range = map.range(shard);
    of_shard.layout = layout;
    of_shard.optimizer = optimizer;
    of_shard.warm_start = warm_start;
    of_shard.rounds = rounds;
    of_shard.push_limits = LimitsOf(description);
  }
  return options;
}

absl::StatusOr<double> ShardBytes(const ParameterShard::Options& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Optimizer> optimizer,
                   Optimizer::Create(options.optimizer, options.warm_start, options.rounds));
  const auto vectors = static_cast<double>(1 + optimizer->state_names().size());
  return vectors * sizeof(float) * static_cast<double>(options.range.size());
}

absl::StatusOr<std::unique_ptr<ParameterShard>> CreateShard(ParameterShard::Options options,
                                                            const RunDescription& description) {
  std::vector<float> initial(options.range.size());
  InitializeParameters(options.layout, description.network(), description.seed(), options.range,
                       absl::MakeSpan(initial));
  return ParameterShard::Create(std::move(options), initial);
}

absl::StatusOr<std::unique_ptr<ParameterShard>> StartShard(const RegisterShardReply& registered,
                                                           const std::string& state_dir, LostState lost,
                                                           int64_t segment_elements) {
  const RunDescription& description = registered.description();
  ASSIGN_OR_RETURN(std::vector<ParameterShard::Options> all,
                   ShardOptions(description, registered.run().run_id(), registered.data()));
  if (registered.shard() >= all.size()) {
    return absl::FailedPreconditionError(absl::StrCat("the coordinator names this shard ", registered.shard(),
                                                      ", want one of its ", all.size()));
  }
  ParameterShard::Options options = std::move(all[registered.shard()]);
  options.segment_elements = segment_elements;
  if (options.run.layout_fingerprint != registered.run().layout_fingerprint()) {
    return absl::FailedPreconditionError(absl::StrCat("the coordinator's parameter layout has fingerprint ",
                                                      registered.run().layout_fingerprint(),
                                                      ", this shard's has ", options.run.layout_fingerprint));
  }
  ASSIGN_OR_RETURN(const double bytes, ShardBytes(options));
  RETURN_IF_ERROR(CheckMemory(absl::StrCat("shard ", registered.shard()), bytes));
  const std::string path = ShardCheckpointPath(state_dir, registered.shard());
  const absl::StatusOr<ShardSnapshot> snapshot = LoadShardSnapshot(path);
  if (absl::IsNotFound(snapshot.status())) {
    if (registered.updates() > 0) {
      const std::string missing = absl::StrCat("shard ", registered.shard(), ": no ", path, " in a run of ",
                                               registered.updates(), " updates");
      if (lost == LostState::kRefused) {
        return absl::FailedPreconditionError(absl::StrCat(
            missing, ": put it back, or give --initial_parameters to begin this shard with initial ones"));
      }
      LogWarning(missing, ", so it begins with initial parameters");
    }
    ASSIGN_OR_RETURN(std::unique_ptr<ParameterShard> created, CreateShard(std::move(options), description));
    RETURN_IF_ERROR(SaveShardSnapshot(path, created->Snapshot()));
    created->set_view(registered.view());
    created->set_run_secret(registered.run_secret());
    return created;
  }
  RETURN_IF_ERROR(snapshot.status());
  absl::StatusOr<std::unique_ptr<ParameterShard>> shard =
      ParameterShard::Restore(std::move(options), *snapshot);
  if (!shard.ok())
    return absl::Status(shard.status().code(), absl::StrCat(path, ": ", shard.status().message()));
  (*shard)->set_view(registered.view());
  (*shard)->set_run_secret(registered.run_secret());
  LogInfo("shard ", registered.shard(), " goes on from ", path, " at version ", (*shard)->version(),
          "; the run has ", registered.updates(), " updates");
  return shard;
}

}  // namespace downpour
