// Where on the data's way: the live page; walks the folder of runs.
#include "deploy/dashboard/run_list.h"

#include <algorithm>

namespace downpour {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 3;
constexpr size_t kMostRuns = 1000;

// The time of the latest of the files that a run writes again and again.
fs::file_time_type LastChange(const fs::path& folder) {
  fs::file_time_type last = fs::file_time_type::min();
  for (const char* file : {"run.textproto", "frame_accuracy.csv", "log.txt", "checkpoints/coordinator.ckpt",
                           "checkpoints/cluster.ckpt"}) {
    std::error_code error;
    const fs::file_time_type time = fs::last_write_time(folder / file, error);
    if (!error) last = std::max(last, time);
  }
  return last;
}

bool IsRun(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "run.textproto", ignored) || fs::exists(folder / "frame_accuracy.csv", ignored);
}

}  // namespace

std::vector<ListedRun> ListRuns(const std::string& root) {
  std::vector<ListedRun> runs;
  if (IsRun(root)) return {{".", LastChange(root)}};
  std::error_code error;
  fs::recursive_directory_iterator folder(root, fs::directory_options::skip_permission_denied, error), end;
  for (; !error && folder != end; folder.increment(error)) {
    std::error_code ignored;
    if (!folder->is_directory(ignored) || folder->is_symlink(ignored)) continue;
    const bool is_run = IsRun(folder->path());
    if (is_run)
      runs.push_back({folder->path().lexically_relative(root).string(), LastChange(folder->path())});
    if (is_run || folder.depth() + 1 >= kDeepest) folder.disable_recursion_pending();
  }
  std::sort(runs.begin(), runs.end(), [](const ListedRun& a, const ListedRun& b) {
    return a.last_change != b.last_change ? a.last_change > b.last_change : a.name < b.name;
  });
  if (runs.size() > kMostRuns) runs.resize(kMostRuns);
  return runs;
}

}  // namespace downpour
