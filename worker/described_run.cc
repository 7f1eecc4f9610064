// Where on the data's way: before it; what a worker or evaluator process learns from the coordinator before
// it joins.
#include "worker/described_run.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/run_description.h"
#include "common/status_macros.h"
#include "spdlog/spdlog.h"

namespace downpour {

absl::StatusOr<RunDescription> LocalDescription(const RunDescription& coordinators,
                                                const CommandLine& command_line) {
  RunDescription own = coordinators;
  if (command_line.positional.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected argument '", command_line.positional[1],
                                                   "': want at most one run description file"));
  }
  if (!command_line.positional.empty()) {
    ASSIGN_OR_RETURN(own, ReadRunDescription(command_line.positional[0]));
  }
  for (const auto& [path, value] : command_line.settings) RETURN_IF_ERROR(SetField(path, value, &own));
  RETURN_IF_ERROR(CheckSameProcessRun(own, coordinators));
  RunDescription local = coordinators;
  *local.mutable_data() = own.data();
  RETURN_IF_ERROR(ValidateRunDescription(local));
  return local;
}

absl::StatusOr<bool> RunIsFinished(CoordinatorClient& coordinator) {
  ASSIGN_OR_RETURN(const RunStatus status, coordinator.GetRunStatus({}));
  return status.phase() == RunStatus::FINISHED;
}

absl::StatusOr<DescribedRun> LoadDescribedRun(CoordinatorClient& coordinator,
                                              const CommandLine& command_line) {
  ASSIGN_OR_RETURN(const DescribeReply reply, coordinator.Describe({}));
  DescribedRun run;
  run.run_id = reply.run_id();
  ASSIGN_OR_RETURN(run.description, LocalDescription(reply.description(), command_line));
  const Normalization normalization{
      {reply.data().feature_mean().begin(), reply.data().feature_mean().end()},
      {reply.data().feature_stddev().begin(), reply.data().feature_stddev().end()}};
  ASSIGN_OR_RETURN(run.data,
                   LoadRunData(run.description.data(), reply.has_data() ? &normalization : nullptr));
  for (const std::string& note : run.data.notes) spdlog::warn("{}", note);
  return run;
}

}  // namespace downpour
