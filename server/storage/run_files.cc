// Where on the data's way: the run folder at rest; looks at the names of its files.
#include "server/storage/run_files.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/file/file.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "server/storage/checkpoint_file.h"
#include "server/storage/folder_lock.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;

std::string RunIdPath(const std::string& folder) { return folder + "/run_id"; }

}  // namespace

absl::Status RecordRunId(const std::string& folder, const std::string& run_id) {
  if (ReadRunId(folder).value_or("") == run_id) return absl::OkStatus();
  RETURN_IF_ERROR(ReplaceFile(RunIdPath(folder), {run_id, "\n"}));
  return SyncDirectory(folder);
}

std::string RunIdStem(absl::string_view name) {
  constexpr size_t kMostBytes = 48;  // four times as many where each is escaped
  return std::string(absl::StripAsciiWhitespace(Printable(name.substr(0, kMostBytes))));
}

absl::StatusOr<std::string> ReadRunId(const std::string& folder) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(RunIdPath(folder)));
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::Status CheckNoRunIsLost(const std::string& folder, const std::string& checkpoint) {
  const std::string checkpoints = folder + "/checkpoints";
  if (CheckpointExists(absl::StrCat(checkpoints, "/", checkpoint))) return absl::OkStatus();
  std::vector<std::string> left;
  const absl::StatusOr<std::string> run_id = ReadRunId(folder);
  if (run_id.ok()) left.push_back(absl::StrCat("the run_id '", *run_id, "'"));
  std::error_code none;
  for (fs::directory_iterator file(checkpoints, none), end; !none && file != end; file.increment(none)) {
    const std::string name = file->path().filename().string();
    if (absl::StartsWith(name, "shard-") && absl::EndsWith(name, ".ckpt")) left.push_back(name);
  }
  if (left.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      folder, " holds a run (", absl::StrJoin(left, ", "), ") but not its checkpoints/", checkpoint,
      ": put that back, name another --run_dir, or give --restart to throw that run away"));
}

absl::Status RemoveRun(const std::string& folder) {
  const std::string checkpoints = folder + "/checkpoints";
  std::error_code error;
  if (fs::exists(checkpoints, error)) RETURN_IF_ERROR(FolderLock::Acquire(checkpoints).status());
  // The first: without it a run that is half removed may begin anew.
  fs::remove(RunIdPath(folder), error);
  if (!error) fs::remove_all(checkpoints, error);
  if (!error) fs::remove_all(folder + "/standbys", error);
  for (fs::directory_iterator file(folder, error), end; !error && file != end; file.increment(error)) {
    const std::string name = file->path().filename().string();
    const bool ours = name == "run.textproto" || name == "frame_accuracy.csv" || name == "staleness.csv" ||
                      name == "data_summary.textproto" || name == "coordinator_address" ||
                      name == "log.txt" || name == "log.1.txt" ||
                      absl::StartsWith(name, "events.out.tfevents.");
    std::error_code ignored;
    if (ours) fs::remove(file->path(), ignored);
  }
  if (!error || error == std::errc::no_such_file_or_directory) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot clear ", folder, ": ", error.message()));
}

}  // namespace downpour
