// Where on the data's way: prepares the run folder, then runs the cluster of the run's clock in it.
#include "deploy/in_process/training_job.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/metrics/disk_metrics.h"
#include "common/metrics/metrics_endpoint.h"
#include "common/program/memory.h"
#include "common/program/run_description.h"
#include "common/program/run_description_rules.h"
#include "common/program/update_rules.h"
#include "common/status_macros.h"
#include "deploy/in_process/virtual_cluster.h"
#include "deploy/in_process/virtual_cluster_recut.h"
#include "deploy/in_process/wall_cluster.h"
#include "server/coordinator/run_log.h"
#include "server/shard/shard_start.h"
#include "server/storage/checkpoint_file.h"
#include "server/storage/folder_lock.h"
#include "server/storage/run_files.h"
#include "worker/replica/gradient_compressor.h"

namespace downpour {
namespace {

// Shards, the replicas' parameters, and one gradient with what goes with it.
absl::Status CheckMemoryOfJob(const TrainingJob& job) {
  ASSIGN_OR_RETURN(const std::vector<ParameterShard::Options> shards,
                   ShardOptions(job.description, job.description.name(), job.data->summary));
  const ClusterDescription& cluster = job.description.cluster();
  const int planes = kUpdateRules[job.description.optimizer().kind()].planes;
  double bytes = (cluster.replicas() * FetchedBits(cluster) / 8 + planes * sizeof(float)) *
                 static_cast<double>(shards.front().layout.size());
  for (const ParameterShard::Options& shard : shards) {
    ASSIGN_OR_RETURN(const double shard_bytes, ShardBytes(shard));
    bytes += shard_bytes;
  }
  return CheckMemory(absl::StrCat("a run of ", shards.front().layout.size(), " parameters and ",
                                  cluster.replicas(), " replicas"),
                     bytes);
}

// Runs the virtual cluster with its log and its checkpoint in the run folder, which it locks.
absl::StatusOr<RunStatus> RunVirtualJob(const TrainingJob& job) {
  const std::string checkpoints = job.run_dir + "/checkpoints";
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Acquire(checkpoints));
  VirtualCluster::Options options;
  options.checkpoint_path = checkpoints + "/cluster.ckpt";
  if (const std::string other = checkpoints + "/coordinator.ckpt"; CheckpointExists(other)) {
    return absl::FailedPreconditionError(
        absl::StrCat(job.run_dir, " holds a run by the wall clock (", other,
                     "); name another --run_dir, or give --restart to throw that run away"));
  }
  std::optional<VirtualClusterSnapshot> checkpoint;
  if (absl::StatusOr<VirtualClusterSnapshot> read = ReadVirtualCluster(options.checkpoint_path); read.ok()) {
    checkpoint = *std::move(read);
  } else if (!absl::IsNotFound(read.status())) {
    return read.status();
  }
  RETURN_IF_ERROR(CheckNoRunIsLost(job.run_dir, "cluster.ckpt"));
  const bool resumed = checkpoint.has_value();
  if (resumed && job.reshard) {
    ASSIGN_OR_RETURN(checkpoint,
                     RecutVirtualCluster(*std::move(checkpoint), job.description.cluster().shards()));
  }
  const CountedLines keep = resumed ? LinesCountedBy(checkpoint->header.coordinator()) : CountedLines();
  ASSIGN_OR_RETURN(const std::unique_ptr<RunLog> log,
                   RunLog::Open({.folder = job.run_dir, .keep = keep, .description = job.description}));
  RETURN_IF_ERROR(WriteRunDescription(job.run_dir, job.description));
  ASSIGN_OR_RETURN(SampleFile samples, SampleFile::Open(job.run_dir, job.description, job.data->summary));

  options.description = job.description;
  options.run_id = resumed ? checkpoint->header.coordinator().run_id() : RunIdStem(job.description.name());
  options.data = job.data;
  options.threads = job.threads;
  options.observer = log.get();
  options.samples = &samples;
  options.before_checkpoint = [&log] { return log->Flush(); };
  options.after_checkpoint = [&job, id = options.run_id] { return RecordRunId(job.run_dir, id); };
  options.stopped = job.stopped;
  options.progress = job.progress;
  ASSIGN_OR_RETURN(const std::unique_ptr<VirtualCluster> cluster,
                   VirtualCluster::Create(std::move(options), resumed ? &*checkpoint : nullptr));
  checkpoint.reset();
  ASSIGN_OR_RETURN(const auto metrics, ServeMetrics(job.security, [&](MetricFamilies* all) {
                     cluster->AddMetrics(all);
                     AddDiskMetrics(job.run_dir, all);
                   }));
  ASSIGN_OR_RETURN(const RunStatus status, cluster->Status());
  job.begun(status, resumed);
  if (status.phase() == RunStatus::FINISHED) return status;
  const absl::Status ran = cluster->Run();
  if (!ran.ok() && !absl::IsCancelled(ran)) return ran;
  return cluster->Status();
}

}  // namespace

absl::Status PrepareRunFolder(const std::string& run_dir, const RunDescription& description, bool restart,
                              bool reshard) {
  if (restart) RETURN_IF_ERROR(RemoveRun(run_dir));
  std::error_code error;
  std::filesystem::create_directories(run_dir + "/checkpoints", error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make ", run_dir, ": ", error.message()));
  absl::StatusOr<RunDescription> held = ReadRunDescription(run_dir + "/run.textproto");
  if (absl::IsNotFound(held.status())) return absl::OkStatus();
  RETURN_IF_ERROR(held.status());
  absl::Status same = reshard ? absl::OkStatus() : CheckSameShards(*held, description);
  held->mutable_cluster()->set_shards(description.cluster().shards());
  same.Update(CheckSameRun(*held, description));
  if (same.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(run_dir, " holds another run: ", same.message(),
                   "; name another --run_dir, or give --restart to throw that run away and begin anew"));
}

absl::StatusOr<RunStatus> RunJob(const TrainingJob& job) {
  RETURN_IF_ERROR(CheckMemoryOfJob(job));
  switch (job.description.cluster().clock()) {
    case ClusterDescription::VIRTUAL:
      return RunVirtualJob(job);
    case ClusterDescription::WALL:
      return RunWallJob(job);
  }
  return absl::InternalError("cluster.clock has no known value");  // not reached: the description is valid
}

}  // namespace downpour
