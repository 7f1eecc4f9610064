// Where on the data's way: prepares the run folder, and starts the cluster that the run's clock asks for.
#include "deploy/in_process/training_job.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/program/run_description.h"
#include "common/program/run_description_rules.h"
#include "common/status_macros.h"
#include "deploy/in_process/virtual_job.h"
#include "deploy/in_process/wall_cluster.h"
#include "server/storage/folder_lock.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;

// Removes only what a run writes, because the folder may hold a user's own files.
absl::Status RemoveRun(const std::string& run_dir) {
  std::error_code error;
  fs::remove_all(run_dir + "/checkpoints", error);
  fs::directory_iterator entry, end;
  if (!error) entry = fs::directory_iterator(run_dir, error);
  for (; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool ours = name == "run.textproto" || name == "frame_accuracy.csv" || name == "staleness.csv" ||
                      name == "data_summary.textproto" || name == "log.txt" ||
                      absl::StartsWith(name, "events.out.tfevents.");
    std::error_code ignored;
    if (ours) fs::remove(entry->path(), ignored);
  }
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot clear ", run_dir, ": ", error.message()));
}

}  // namespace

absl::Status PrepareRunFolder(const std::string& run_dir, const RunDescription& description, bool restart) {
  std::error_code error;
  fs::create_directories(run_dir + "/checkpoints", error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make ", run_dir, ": ", error.message()));
  if (restart) {
    RETURN_IF_ERROR(FolderLock::Acquire(run_dir + "/checkpoints").status());  // no process may work in it
    RETURN_IF_ERROR(RemoveRun(run_dir));
    return PrepareRunFolder(run_dir, description, false);
  }
  const absl::StatusOr<RunDescription> held = ReadRunDescription(run_dir + "/run.textproto");
  if (absl::IsNotFound(held.status())) return absl::OkStatus();
  RETURN_IF_ERROR(held.status());
  const absl::Status same = CheckSameRun(*held, description);
  if (same.ok()) return same;
  return absl::FailedPreconditionError(
      absl::StrCat(run_dir, " holds another run: ", same.message(),
                   "; name another --run_dir, or give --restart to throw that run ", "away and begin anew"));
}

absl::StatusOr<RunStatus> RunJob(const TrainingJob& job) {
  switch (job.description.cluster().clock()) {
    case ClusterDescription::VIRTUAL:
      return RunVirtualJob(job);
    case ClusterDescription::WALL:
      return RunWallJob(job);
  }
  return absl::InternalError(
      "cluster.clock is of an unknown value");  // not reached: validation lets none pass
}

}  // namespace downpour
