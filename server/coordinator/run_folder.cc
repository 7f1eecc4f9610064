// Where on the data's way: a run at rest; opens lock, checkpoint, log and coordinator, in this order.
#include "server/coordinator/run_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/metrics/disk_metrics.h"
#include "common/program/logging.h"
#include "common/program/run_description_rules.h"
#include "common/status_macros.h"
#include "common/tls/token.h"
#include "server/coordinator/coordinator_metrics.h"
#include "server/storage/checkpoint_file.h"
#include "server/storage/folder_number.h"
#include "server/storage/run_files.h"

namespace downpour {
namespace {

constexpr absl::string_view kHint =
    "; --from_log goes on with the shards' checkpoints, from the last line of frame_accuracy.csv";

// Where there is no checkpoint: opening the log would wipe the lines of a run that has lost it.
absl::Status CheckNoOtherRun(const std::string& folder) {
  const auto refuse = [&](const std::string& file, absl::string_view what) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, " holds ", what, " (", file,
                     "): name another --run_dir, or give --restart to throw that run away"));
  };
  const std::string cluster = absl::StrCat(folder, "/checkpoints/cluster.ckpt");
  if (CheckpointExists(cluster)) return refuse(cluster, "a run by the virtual clock");
  const absl::Status lost = CheckNoRunIsLost(folder, "coordinator.ckpt");
  if (!lost.ok() && ReadRunId(folder).ok())
    return absl::Status(lost.code(), absl::StrCat(lost.message(), kHint));
  RETURN_IF_ERROR(lost);
  const std::string csv = absl::StrCat(folder, "/frame_accuracy.csv");
  const absl::StatusOr<std::string> lines = ReadFile(csv);
  if (absl::IsNotFound(lines.status())) return absl::OkStatus();
  RETURN_IF_ERROR(lines.status());
  if (std::count(lines->begin(), lines->end(), '\n') < 2) return absl::OkStatus();  // the header only
  return refuse(csv, "the accuracy log of a run whose coordinator.ckpt is gone");
}

// What the log and the other files of a run say of its coordinator, whose checkpoint is lost.
absl::StatusOr<CoordinatorCheckpoint> CheckpointFromLog(const std::string& folder,
                                                        const RunDescription& description) {
  ASSIGN_OR_RETURN(const std::string run_id, ReadRunId(folder));
  ASSIGN_OR_RETURN(const std::string csv, ReadFile(folder + "/frame_accuracy.csv"));
  ASSIGN_OR_RETURN(CoordinatorCheckpoint checkpoint, LastLineAsCheckpoint(csv));
  *checkpoint.mutable_description() = description;
  checkpoint.set_run_id(run_id);
  LogWarning(folder, ": the coordinator's checkpoint is lost; run '", run_id,
             "' goes on from the last line of frame_accuracy.csv, at ", checkpoint.updates(), " updates");
  return checkpoint;
}

// Where a standby has taken its primary's place, the shard's state is in its folder. It takes the place of the
// old one. What the other standbys have is of no use once the shards are re-cut.
absl::Status TakeStandbysStates(const std::string& folder, const CoordinatorCheckpoint& checkpoint) {
  const std::string standbys = folder + "/standbys";
  const absl::StatusOr<uint64_t> number = ReadFolderNumber(standbys);
  if (absl::IsNotFound(number.status())) return absl::OkStatus();
  RETURN_IF_ERROR(number.status());
  std::error_code error;
  for (const ShardAddress& shard : checkpoint.shards()) {
    const std::string name = absl::StrCat("/shard-", shard.shard(), ".ckpt");
    const std::string path = absl::StrCat(folder, "/checkpoints", name);
    if (shard.folder() != *number || !CheckpointExists(standbys + name)) continue;
    for (const auto& [from, to] : {std::pair(PreviousGeneration(standbys + name), PreviousGeneration(path)),
                                   std::pair(standbys + name, path)}) {
      std::filesystem::remove(to, error);
      if (!error && std::filesystem::exists(from)) std::filesystem::rename(from, to, error);
      if (error) return absl::UnavailableError(absl::StrCat("cannot move ", from, ": ", error.message()));
    }
  }
  RETURN_IF_ERROR(SyncDirectory(folder + "/checkpoints"));
  std::filesystem::remove_all(standbys, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot remove ", standbys, ": ", error.message()));
}

// The replicas know the old shards only, so they have to join anew; the data that they had is dealt again.
absl::Status Reshard(const std::string& folder, int32_t shards, CoordinatorCheckpoint* checkpoint) {
  ClusterDescription& cluster = *checkpoint->mutable_description()->mutable_cluster();
  if (cluster.shards() == shards) return absl::OkStatus();
  RETURN_IF_ERROR(TakeStandbysStates(folder, *checkpoint));
  LogInfo("the run goes on with ", shards, " shards in place of ", cluster.shards());
  cluster.set_shards(shards);
  checkpoint->clear_shards();
  checkpoint->mutable_membership()->clear_replicas();
  for (const auto& lease : checkpoint->slices().leases())
    *checkpoint->mutable_slices()->add_returned() = lease.slice();
  checkpoint->mutable_slices()->clear_leases();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunFolder> RunFolder::Open(const std::string& folder, const RunDescription& description,
                                          Clock* clock, const RunFolderOptions& wanted) {
  if (const auto compensation = description.optimizer().compensation();
      compensation != OptimizerDescription::NONE) {
    return absl::InvalidArgumentError(
        absl::StrCat("optimizer.compensation is ", OptimizerDescription::Compensation_Name(compensation),
                     ", want NONE: only the simulated cluster (cluster.clock VIRTUAL) has the parameters "
                     "that a gradient was computed at"));
  }
  const std::string checkpoints = absl::StrCat(folder, "/checkpoints");
  std::error_code error;
  std::filesystem::create_directories(checkpoints, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make ", checkpoints, ": ", error.message()));
  ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Acquire(checkpoints));
  RunFolder run(folder, clock, std::move(lock));

  const std::string path = absl::StrCat(checkpoints, "/coordinator.ckpt");
  std::optional<CoordinatorCheckpoint> checkpoint;
  if (absl::StatusOr<CoordinatorCheckpoint> read = LoadCoordinatorCheckpoint(path); read.ok()) {
    checkpoint = *std::move(read);
  } else if (wanted.lost == LostCheckpoint::kFromLog) {
    ASSIGN_OR_RETURN(checkpoint, CheckpointFromLog(folder, description));
  } else if (absl::IsDataLoss(read.status())) {
    return absl::DataLossError(absl::StrCat(read.status().message(), kHint));
  } else if (!absl::IsNotFound(read.status())) {
    return read.status();
  }
  run.resumed_ = checkpoint.has_value();

  Coordinator::Options options;
  options.description = description;
  // A new run gets a name that no other has, so that shards and replicas of an earlier run here are refused.
  options.run_id =
      run.resumed_ ? checkpoint->run_id()
                   : absl::StrCat(RunIdStem(description.name()), "-",
                                  absl::FormatTime("%Y%m%d-%H%M%E6S", clock->WallNow(), absl::UTCTimeZone()));
  if (run.resumed_) options.run_secret = checkpoint->run_secret();
  if (options.run_secret.empty()) {
    ASSIGN_OR_RETURN(options.run_secret, MakeRunSecret());
  }
  options.clock = options.wall_clock = clock;
  options.checkpointed = true;
  // Checked before the log is opened, which cuts it back to the checkpoint.
  if (run.resumed_) {
    if (wanted.reshard) RETURN_IF_ERROR(Reshard(folder, description.cluster().shards(), &*checkpoint));
    RETURN_IF_ERROR(CheckSameShards(checkpoint->description(), description));
    RETURN_IF_ERROR(CheckSameProcessRun(description, checkpoint->description()));
    // That replica may not come back; the first that does takes over.
    checkpoint->clear_warm_start_replica();
    SkipLostIncarnations(checkpoint->mutable_membership());
  } else {
    RETURN_IF_ERROR(CheckNoOtherRun(folder));
  }
  const CountedLines keep = run.resumed_ ? LinesCountedBy(*checkpoint) : CountedLines();
  ASSIGN_OR_RETURN(run.log_, RunLog::Open({folder, keep, clock, description}));
  options.observer = run.log_.get();
  ASSIGN_OR_RETURN(run.coordinator_,
                   run.resumed_ ? Coordinator::Restore(options, *checkpoint) : Coordinator::Create(options));
  RETURN_IF_ERROR(WriteRunDescription(folder, description));
  run.checkpointer_ =
      std::make_unique<CoordinatorCheckpointer>(run.coordinator_.get(), run.log_.get(), path, clock);
  RETURN_IF_ERROR(run.checkpointer_->CheckpointNow());
  RETURN_IF_ERROR(RecordRunId(folder, run.coordinator_->run_id()));
  return run;
}

absl::Status RunFolder::SetAddress(const std::string& address) const {
  const std::string path = folder_ + "/coordinator_address";
  if (!address.empty()) return ReplaceFile(path, {address, "\n"});
  std::error_code ignored;  // who finds an old address is not answered there
  std::filesystem::remove(path, ignored);
  return absl::OkStatus();
}

void RunFolder::AddMetrics(MetricFamilies* families) const {
  AddRunMetrics(*coordinator_->GetOverview({}), coordinator_->Staleness(), clock_, families);
  checkpointer_->writer().AddTo(families);
  AddDiskMetrics(folder_, families);
}

}  // namespace downpour
