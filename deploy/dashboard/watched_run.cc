// Where on the data's way: the live page; reads again only what has changed.
#include "deploy/dashboard/watched_run.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/file/file.h"
#include "common/program/logging.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;

constexpr std::streamoff kMostTail = std::streamoff{64} * 1024;

// The end of a file that may be long.
std::vector<std::string> LastLines(const std::string& path, size_t count) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const std::streamoff size = file.tellg(), begin = std::max<std::streamoff>(0, size - kMostTail);
  std::string text(size - begin, '\0');
  file.seekg(begin);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  for (std::string& line : lines) line = OneLine(line);
  return lines;
}

// What shows that one of the files has changed.
std::string SizesAndTimes(const fs::path& folder, const std::vector<const char*>& names) {
  std::string text;
  for (const char* name : names) {
    std::error_code error;
    const fs::file_time_type time = fs::last_write_time(folder / name, error);
    const uintmax_t size = error ? 0 : fs::file_size(folder / name, error);
    absl::StrAppend(&text, name, " ", error ? -1 : time.time_since_epoch().count(), " ", size, "\n");
  }
  return text;
}

std::string FirstLine(const std::string& path) {
  return std::string(absl::StripAsciiWhitespace(ReadFile(path).value_or("")));
}

}  // namespace

WatchedRun::WatchedRun(std::string folder, std::string coordinator, AskCoordinator ask, Clock* clock)
    : folder_(std::move(folder)), coordinator_(std::move(coordinator)), ask_(std::move(ask)), clock_(clock) {}

void WatchedRun::Look() {
  const absl::Time now = clock_->Now();
  if (now < next_look_) return;
  next_look_ = now + kInterval;
  ReadFiles();
  if (logged_.at_budget && history_.empty() && FirstLine(folder_ + "/coordinator_address").empty()) {
    why_no_overview_ = "the run is finished";
  } else if (now >= next_question_) {
    Ask(now);
  }
}

void WatchedRun::ReadFiles() {
  const std::string files = SizesAndTimes(
      folder_, {"run.textproto", "frame_accuracy.csv", "staleness.csv", "data_summary.textproto"});
  if (files != files_ || version_ == 0) {
    absl::StatusOr<LoggedRun> read = ReadRun(folder_);
    if (!read.ok()) {
      logged_.notes = {std::string(read.status().message())};
    } else {
      logged_ = *std::move(read);
    }
    files_ = files;
    ++version_;
  }
  log_lines_ = LastLines(folder_ + "/log.txt", kLogLines);
}

void WatchedRun::Ask(absl::Time now) {
  const std::string address =
      coordinator_.empty() ? FirstLine(folder_ + "/coordinator_address") : coordinator_;
  if (address.empty()) {
    history_.clear();
    why_no_overview_ = "no coordinator serves this run (downpour-train simulates its cluster in one process)";
    return;
  }
  absl::StatusOr<Overview> overview = ask_(address);
  const std::string run_id = FirstLine(folder_ + "/run_id");
  if (overview.ok() && overview->run_id() != run_id) {
    overview = absl::FailedPreconditionError(
        absl::StrCat("the coordinator at ", address, " serves another run, '", overview->run_id(), "'"));
  }
  if (!overview.ok()) {
    history_.clear();
    why_no_overview_ = std::string(overview.status().message());
    next_question_ = now + kPatience;
    return;
  }
  history_.push_back({clock_->Now(), *std::move(overview)});
  while (history_.size() > 2 && history_[1].when <= history_.back().when - kSpeedSpan) history_.pop_front();
}

}  // namespace downpour
