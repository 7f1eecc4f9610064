// Where on the data's way: deploy/grid, before a run and after it; what a run folder holds decides how the
// grid goes on.
#ifndef DOWNPOUR_DEPLOY_GRID_GRID_RECORD_H_
#define DOWNPOUR_DEPLOY_GRID_GRID_RECORD_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"

namespace downpour {

// What a run's folder says of the run in it. A value.
struct HeldRun {
  std::optional<RunDescription> begun;     // run.textproto, which downpour-train writes when it begins
  std::optional<RunDescription> finished;  // finished.textproto: what the grid asked for, and got in full
  absl::Status whole = absl::OkStatus();   // FAILED_PRECONDITION: its checkpoint is lost
};

// Reads the files that are there. INVALID_ARGUMENT: one is no textproto. UNAVAILABLE: one cannot be read.
absl::StatusOr<HeldRun> ReadHeldRun(const std::string& folder);
// Writes and removes finished.textproto. Statuses as FileError() of common/file/file.h.
absl::Status RecordFinished(const std::string& folder, const RunDescription& description);
absl::Status ForgetFinished(const std::string& folder);

enum class NextStep {
  kNothing,  // the run is finished
  kTrain,    // it begins, or goes on from its checkpoint
  kRestart,  // it begins anew, and what the folder holds is thrown away
};

// What to do to get the run `wanted`. A run goes on if it is the same (CheckSameRun) and whole. A finished
// run goes on only for a larger budget. `restart` begins anew what cannot go on. FAILED_PRECONDITION, naming
// the first difference: it cannot go on, and `restart` is not set.
absl::StatusOr<NextStep> DecideNextStep(const HeldRun& held, const RunDescription& wanted, bool restart);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_GRID_GRID_RECORD_H_
