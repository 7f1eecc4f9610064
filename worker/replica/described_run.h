// Where on the data's way: from the coordinator's description of the run to the data that a process loads.
#ifndef DOWNPOUR_WORKER_REPLICA_DESCRIBED_RUN_H_
#define DOWNPOUR_WORKER_REPLICA_DESCRIBED_RUN_H_

#include <functional>

#include "common/layout/parameter_layout.h"
#include "common/program/command_line.h"
#include "worker/data/run_data.h"
#include "worker/replica/coordinator_client.h"

namespace downpour {

struct DescribedRun {
  std::string run_id;
  RunDescription description;  // the coordinator's, with this process's own data paths
  RunData data;                // normalised as the run's data, if the coordinator already knows how
};

// The description that this process works by: the coordinator's, with the paths of the data replaced by those
// that the command line's run description file or settings give, if any. FAILED_PRECONDITION: the command
// line describes another run; the message names the first field that differs. INVALID_ARGUMENT: the two
// together contradict each other. Other statuses as ReadRunDescription and SetField.
absl::StatusOr<RunDescription> LocalDescription(const RunDescription& coordinators,
                                                const CommandLine& command_line);

// FAILED_PRECONDITION: the run's parameters are laid out in another way than those of this process's network.
absl::Status CheckLayout(const ParameterLayout& own, const RunIdentity& run);

// To be asked before a process makes anything of the network's size. FAILED_PRECONDITION: it cannot have
// `bytes_each` bytes for each of the run's parameters. INVALID_ARGUMENT: as NetworkLayout.
absl::Status CheckMemoryFor(const JoinReply& run, double bytes_each);

// Both ask the coordinator for the run, load a part of its data, and log what was left out. Statuses as
// CoordinatorClient::Describe, LocalDescription and LoadRunData. Thread-safe. LoadWorkersRun loads the
// training part. While the coordinator does not know the run's data, it reads the test sets too: the process
// may be the first to tell it about the data, and its summary speaks of all parts. LoadEvaluatorsRun loads
// the test sets. While no replica has joined, so that the run's data is not known, it calls `wait` and asks
// the coordinator again. CANCELLED: `wait` has returned false.
absl::StatusOr<DescribedRun> LoadWorkersRun(CoordinatorClient& coordinator, const CommandLine& command_line,
                                            const FeatureOptions& features = {});
absl::StatusOr<DescribedRun> LoadEvaluatorsRun(CoordinatorClient& coordinator,
                                               const CommandLine& command_line,
                                               const FeatureOptions& features,
                                               const std::function<bool()>& wait);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_DESCRIBED_RUN_H_
