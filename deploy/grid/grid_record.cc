// Where on the data's way: deploy/grid, before a run and after it; compares what is held with what is wanted.
#include "deploy/grid/grid_record.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <cerrno>
#include <cstdio>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/program/run_description.h"
#include "common/program/run_description_rules.h"
#include "common/status_macros.h"
#include "server/storage/checkpoint_file.h"
#include "server/storage/run_files.h"

namespace downpour {
namespace {

std::string RecordPath(const std::string& folder) { return folder + "/finished.textproto"; }

absl::StatusOr<std::optional<RunDescription>> ReadIfThere(const std::string& path) {
  absl::StatusOr<RunDescription> description = ReadRunDescription(path);
  if (absl::IsNotFound(description.status())) return std::nullopt;
  RETURN_IF_ERROR(description.status());
  return *std::move(description);
}

double Limit(double budget) { return budget > 0 ? budget : std::numeric_limits<double>::infinity(); }

// FAILED_PRECONDITION unless the two are equal but for a budget that is not smaller. How often a run writes
// checkpoints does not count, since it changes no result.
absl::Status CheckNotLess(RunDescription finished, RunDescription wanted) {
  finished.clear_checkpoint();
  wanted.clear_checkpoint();
  if (Limit(wanted.budget().epochs()) >= Limit(finished.budget().epochs()) &&
      Limit(wanted.budget().updates()) >= Limit(finished.budget().updates()))
    *finished.mutable_budget() = wanted.budget();
  google::protobuf::util::MessageDifferencer differencer;
  differencer.set_message_field_comparison(google::protobuf::util::MessageDifferencer::EQUIVALENT);
  std::string difference;
  differencer.ReportDifferencesToString(&difference);
  if (differencer.Compare(finished, wanted)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("finished with other settings: ", difference.substr(0, difference.find('\n'))));
}

}  // namespace

absl::StatusOr<HeldRun> ReadHeldRun(const std::string& folder) {
  HeldRun held;
  ASSIGN_OR_RETURN(held.begun, ReadIfThere(folder + "/run.textproto"));
  ASSIGN_OR_RETURN(held.finished, ReadIfThere(RecordPath(folder)));
  if (!CheckpointExists(folder + "/checkpoints/coordinator.ckpt") &&
      !CheckNoRunIsLost(folder, "cluster.ckpt").ok())
    held.whole = absl::FailedPreconditionError("a run whose checkpoint is lost");
  return held;
}

absl::Status RecordFinished(const std::string& folder, const RunDescription& description) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(description, &text);
  return ReplaceFile(RecordPath(folder), {text});
}

absl::Status ForgetFinished(const std::string& folder) {
  if (std::remove(RecordPath(folder).c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return FileError("remove", RecordPath(folder));
}

absl::StatusOr<NextStep> DecideNextStep(const HeldRun& held, const RunDescription& wanted, bool restart) {
  absl::Status goes_on = held.begun ? CheckSameRun(*held.begun, wanted) : absl::OkStatus();
  if (goes_on.ok() && held.finished) {
    goes_on = CheckNotLess(*held.finished, wanted);
    if (goes_on.ok() &&
        google::protobuf::util::MessageDifferencer::Equivalent(held.finished->budget(), wanted.budget()))
      return NextStep::kNothing;
  }
  goes_on.Update(held.whole);
  if (goes_on.ok()) return NextStep::kTrain;
  if (restart) return NextStep::kRestart;
  return goes_on;
}

}  // namespace downpour
