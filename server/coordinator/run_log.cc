// Where on the data's way: from the coordinator to the run folder; a thread writes what is queued.
#include "server/coordinator/run_log.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "google/protobuf/text_format.h"
#include "server/coordinator/event_file.h"
#include "server/coordinator/hparams.h"

namespace downpour {
namespace {

absl::StatusOr<AppendFile> OpenFrameAccuracy(const std::string& path, CountedLines keep) {
  absl::StatusOr<std::string> old = ReadFile(path);
  if (absl::IsNotFound(old.status())) old = "";
  RETURN_IF_ERROR(old.status());
  const absl::StatusOr<std::string> kept = FrameAccuracyToKeep(*old, keep);
  if (!kept.ok())
    return absl::Status(kept.status().code(), absl::StrCat(path, ": ", kept.status().message()));
  if (!absl::StartsWith(*old, *kept)) RETURN_IF_ERROR(ReplaceFile(path, {*kept}));
  return AppendFile::Open(path, kept->size());
}

}  // namespace

absl::Status WriteRunDescription(const std::string& folder, const RunDescription& description) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(description, &text);
  return ReplaceFile(absl::StrCat(folder, "/run.textproto"), {text});
}

absl::StatusOr<std::unique_ptr<RunLog>> RunLog::Open(Options options) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error)
    return absl::UnavailableError(absl::StrCat("cannot make ", options.folder, ": ", error.message()));
  ASSIGN_OR_RETURN(AppendFile csv,
                   OpenFrameAccuracy(absl::StrCat(options.folder, "/frame_accuracy.csv"), options.keep));
  ASSIGN_OR_RETURN(AppendFile events,
                   OpenEventFile(options.folder, options.wall_clock->WallNow(), options.keep.updates + 1));
  events.Append(EventRecord(HParamsStart(options.description, options.wall_clock->WallNow())));
  RETURN_IF_ERROR(events.Flush());
  RETURN_IF_ERROR(SyncDirectory(options.folder));
  return std::unique_ptr<RunLog>(new RunLog(std::move(options), std::move(csv), std::move(events)));
}

RunLog::RunLog(Options options, AppendFile csv, AppendFile events)
    : options_(std::move(options)),
      csv_(std::move(csv)),
      events_(std::move(events)),
      writer_([this] { WriteEntries(); }) {}

RunLog::~RunLog() {
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
  }
  writer_.join();
}

void RunLog::OnDataSummary(const DataSummary& data) { HandOver(data); }
void RunLog::OnEvaluation(const EvaluationRecord& record) { HandOver(record); }

void RunLog::HandOver(Entry entry) {
  absl::MutexLock lock(&mutex_);
  const auto has_room = [this]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return waiting_.size() < kMaxWaiting; };
  mutex_.Await(absl::Condition(&has_room));
  waiting_.push_back(std::move(entry));
}

absl::Status RunLog::Flush() {
  absl::MutexLock lock(&mutex_);
  const auto all_written = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return waiting_.empty(); };
  waiting_.emplace_back();
  mutex_.Await(absl::Condition(&all_written));
  return last_write_;
}

void RunLog::WriteEntries() {
  const auto has_work = [this]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closing_ || !waiting_.empty(); };
  for (;;) {
    const Entry* entry;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&has_work));
      if (waiting_.empty()) return;
      entry = &waiting_.front();
    }
    absl::Status written = Write(*entry);
    if (!written.ok()) LogError("run log: ", written.ToString());
    absl::MutexLock lock(&mutex_);
    waiting_.pop_front();
    last_write_ = std::move(written);
  }
}

absl::Status RunLog::Write(const Entry& entry) {
  if (const auto* data = std::get_if<DataSummary>(&entry)) {
    google::protobuf::TextFormat::PrintToString(*data, &data_summary_);
  } else if (const auto* record = std::get_if<EvaluationRecord>(&entry)) {
    csv_.Append(FrameAccuracyLine(*record));
    events_.Append(EventRecord(EvaluationEvent(*record)));
    if (record->point.budget_reached())
      events_.Append(EventRecord(HParamsEnd(options_.wall_clock->WallNow())));
    staleness_ = StalenessCsv(record->staleness);
  }
  const bool sync = std::holds_alternative<std::monostate>(entry);
  absl::Status status = sync ? csv_.Sync() : csv_.Flush();
  status.Update(sync ? events_.Sync() : events_.Flush());
  status.Update(ReplaceOnce("staleness.csv", &staleness_));
  status.Update(ReplaceOnce("data_summary.textproto", &data_summary_));
  return status;
}

absl::Status RunLog::ReplaceOnce(absl::string_view name, std::string* content) {
  if (content->empty()) return absl::OkStatus();
  RETURN_IF_ERROR(ReplaceFile(absl::StrCat(options_.folder, "/", name), {*content}));
  content->clear();
  return absl::OkStatus();
}

}  // namespace downpour
