// Where on the data's way: before it; what a worker or evaluator process learns from the coordinator before
// it joins.
#ifndef DOWNPOUR_WORKER_REPLICA_DESCRIBED_RUN_H_
#define DOWNPOUR_WORKER_REPLICA_DESCRIBED_RUN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/layout/parameter_layout.h"
#include "common/program/command_line.h"
#include "proto/coordinator.pb.h"
#include "worker/data/run_data.h"
#include "worker/replica/coordinator_client.h"

namespace downpour {

struct DescribedRun {
  std::string run_id;
  RunDescription description;  // the coordinator's, with this process's own data paths
  RunData data;                // normalised as the run's, if the coordinator knows how already
};

// The description that this process works by: the coordinator's, but data lies where the command line's run
// description file or settings say, if they do. FAILED_PRECONDITION: they are of another run; names the first
// field that differs. INVALID_ARGUMENT: the two together contradict each other. Other statuses as
// ReadRunDescription and SetField.
absl::StatusOr<RunDescription> LocalDescription(const RunDescription& coordinators,
                                                const CommandLine& command_line);

// FAILED_PRECONDITION: the run's parameters are laid out in another way than those of this process's network.
absl::Status CheckLayout(const ParameterLayout& own, const RunIdentity& run);

// Whether the run is over, so that there is no use in loading data. Statuses as
// CoordinatorClient::GetRunStatus.
absl::StatusOr<bool> RunIsFinished(CoordinatorClient& coordinator);

// Both ask the coordinator for the run, load their part of its data, and log what was left out. Statuses as
// CoordinatorClient::Describe, LocalDescription and LoadRunData. Thread-safe.
//
// The training part. While the coordinator does not know the run's data, the test sets are read too, since
// the summary that this process may be the first to bring speaks of them.
absl::StatusOr<DescribedRun> LoadWorkersRun(CoordinatorClient& coordinator, const CommandLine& command_line);
// The test sets. UNAVAILABLE: no replica has joined yet, so that the run's data is not known.
absl::StatusOr<DescribedRun> LoadEvaluatorsRun(CoordinatorClient& coordinator,
                                               const CommandLine& command_line);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_DESCRIBED_RUN_H_
