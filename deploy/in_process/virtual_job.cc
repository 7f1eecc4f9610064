// Where on the data's way: locks the run folder, opens its log and its checkpoint, and runs the virtual
// cluster with them.
#include "deploy/in_process/virtual_job.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "deploy/in_process/virtual_cluster.h"
#include "server/coordinator/run_log.h"
#include "server/storage/folder_lock.h"

namespace downpour {

absl::StatusOr<RunStatus> RunVirtualJob(const TrainingJob& job) {
  const std::string checkpoints = job.run_dir + "/checkpoints";
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Acquire(checkpoints));
  VirtualCluster::Options options;
  options.checkpoint_path = checkpoints + "/cluster.ckpt";
  if (const std::string other = checkpoints + "/coordinator.ckpt"; std::filesystem::exists(other)) {
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
  const bool resumed = checkpoint.has_value();
  ASSIGN_OR_RETURN(
      const std::unique_ptr<RunLog> log,
      RunLog::Open({.folder = job.run_dir,
                    .keep_updates = resumed ? LastRecordedUpdates(checkpoint->header.coordinator()) : -1}));
  RETURN_IF_ERROR(WriteRunDescription(job.run_dir, job.description));

  options.description = job.description;
  options.run_id = resumed ? checkpoint->header.coordinator().run_id() : job.description.name();
  options.data = job.data;
  options.threads = job.threads;
  options.observer = log.get();
  options.before_checkpoint = [&log] { return log->Flush(); };
  options.stopped = job.stopped;
  options.progress = job.progress;
  ASSIGN_OR_RETURN(const std::unique_ptr<VirtualCluster> cluster,
                   VirtualCluster::Create(std::move(options), resumed ? &*checkpoint : nullptr));
  checkpoint.reset();
  ASSIGN_OR_RETURN(const RunStatus status, cluster->Status());
  job.begun(status, resumed);
  if (status.phase() == RunStatus::FINISHED) return status;
  const absl::Status ran = cluster->Run();
  if (!ran.ok() && !absl::IsCancelled(ran)) return ran;
  return cluster->Status();
}

}  // namespace downpour
