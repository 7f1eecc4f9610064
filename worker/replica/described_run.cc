// Where on the data's way: asks the coordinator which run it is, and loads this process's part of the data.
#include "worker/replica/described_run.h"

#include "absl/strings/str_cat.h"
#include "common/layout/network_layout.h"
#include "common/program/logging.h"
#include "common/program/memory.h"
#include "common/program/run_description_rules.h"
#include "common/status_macros.h"

namespace downpour {

absl::StatusOr<RunDescription> LocalDescription(const RunDescription& coordinators,
                                                const CommandLine& command_line) {
  RunDescription own = coordinators;
  RETURN_IF_ERROR(ApplyCommandLine(command_line, &own));
  RETURN_IF_ERROR(CheckSameProcessRun(own, coordinators));
  RunDescription local = coordinators;
  *local.mutable_data() = own.data();
  RETURN_IF_ERROR(ValidateRunDescription(local));
  return local;
}

absl::Status CheckLayout(const ParameterLayout& own, const RunIdentity& run) {
  if (own.fingerprint() == run.layout_fingerprint()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("this process's parameter layout has fingerprint ",
                                                    own.fingerprint(), ", want the run's, ",
                                                    run.layout_fingerprint()));
}

absl::Status CheckMemoryFor(const JoinReply& run, double bytes_each) {
  ASSIGN_OR_RETURN(const ParameterLayout layout,
                   NetworkLayout(run.description().network(), run.data().input_dim(), run.data().classes()));
  return CheckMemory(absl::StrCat("this process's copy of ", layout.size(), " parameters"),
                     bytes_each * static_cast<double>(layout.size()));
}

absl::StatusOr<DescribedRun> LoadWorkersRun(CoordinatorClient& coordinator, const CommandLine& command_line,
                                            const FeatureOptions& features) {
  ASSIGN_OR_RETURN(const DescribeReply reply, coordinator.Describe({}));
  DescribedRun run;
  run.run_id = reply.run_id();
  ASSIGN_OR_RETURN(run.description, LocalDescription(reply.description(), command_line));
  const DataDescription& data = run.description.data();
  ASSIGN_OR_RETURN(run.data, reply.has_data() ? LoadTrainingPart(data, reply.data(), features)
                                              : LoadRunData(data, nullptr, features));
  run.data.test.reset();
  run.data.test_human.reset();
  for (const std::string& note : run.data.notes) LogWarning(note);
  return run;
}

absl::StatusOr<DescribedRun> LoadEvaluatorsRun(CoordinatorClient& coordinator,
                                               const CommandLine& command_line,
                                               const FeatureOptions& features,
                                               const std::function<bool()>& wait) {
  ASSIGN_OR_RETURN(DescribeReply reply, coordinator.Describe({}));
  DescribedRun run;
  ASSIGN_OR_RETURN(run.description, LocalDescription(reply.description(), command_line));
  while (!reply.has_data()) {
    if (!wait()) return absl::CancelledError("stopped before a replica has joined");
    ASSIGN_OR_RETURN(reply, coordinator.Describe({}));
  }
  run.run_id = reply.run_id();
  ASSIGN_OR_RETURN(run.data, LoadTestSets(run.description.data(), reply.data(), features));
  for (const std::string& note : run.data.notes) LogWarning(note);
  return run;
}

}  // namespace downpour
