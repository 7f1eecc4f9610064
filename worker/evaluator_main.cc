// Where on the data's way: worker, the evaluator's program; fetches the parameters, scores them on test sets.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>

#include "absl/flags/flag.h"
#include "common/metrics/metrics_endpoint.h"
#include "common/program/checked_flag.h"
#include "common/program/cluster_flags.h"
#include "common/program/interrupt.h"
#include "common/program/run_program.h"
#include "common/status_macros.h"
#include "common/tls/tls_flags.h"
#include "worker/data/data_flags.h"
#include "worker/evaluator/evaluator_loop.h"
#include "worker/replica/described_run.h"
#include "worker/replica/measured_shard_client.h"
#include "worker/transport/grpc_coordinator_client.h"
#include "worker/transport/grpc_shard_connector.h"

ABSL_FLAG(int, threads, 0, "threads that score frames; 0: as many as cores");

namespace downpour {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(500);

constexpr char kUsage[] =
    R"(Scores a run's parameters on its test sets whenever an evaluation is due; the coordinator logs the
frame accuracy. A run needs one evaluator. Ends by itself when the run is over; Ctrl-C stops it, and it may be
started again.

  downpour-evaluator --coordinator=127.0.0.1:7100

The coordinator sends the run description. One that is given here too, as a file or as settings, must be of
the same run; its data paths then take the place of the coordinator's.)";

absl::Status Run(const CommandLine& command_line) {
  EvaluatorLoopOptions options;
  ASSIGN_OR_RETURN(options.threads, FlagFrom(FLAGS_threads, 0));
  if (options.threads == 0) options.threads = std::max<int>(1, std::thread::hardware_concurrency());
  ASSIGN_OR_RETURN(options.give_up_after, FlagFrom(FLAGS_give_up_after, absl::ZeroDuration()));
  RETURN_IF_ERROR(SetUpClusterProcess("evaluator"));
  ASSIGN_OR_RETURN(const Security security, SecurityFromFlags({"evaluator"}));
  const auto credentials = std::make_shared<Credentials>(security);
  Transfers transfers;
  DurationCounter evaluations;
  options.evaluations = &evaluations;
  ASSIGN_OR_RETURN(const auto metrics, ServeMetrics(security, [&](MetricFamilies* all) {
                     transfers.AddTo("any", all);
                     all->AddDurations("downpour_evaluation_duration_seconds",
                                       "Time to fetch the parameters and score them on the test sets.",
                                       evaluations.count(), evaluations.sum());
                   }));
  CoordinatorStub::Options coordinator_options;
  coordinator_options.address = absl::GetFlag(FLAGS_coordinator);
  coordinator_options.credentials = credentials;
  coordinator_options.retry.stopped = Interrupted;
  coordinator_options.retry.give_up_after = options.give_up_after;
  GrpcCoordinatorClient coordinator(coordinator_options);
  ASSIGN_OR_RETURN(const RunStatus status, coordinator.GetRunStatus({}));
  if (status.phase() == RunStatus::FINISHED) return absl::OkStatus();
  const std::string shared_memory_dir = absl::GetFlag(FLAGS_shared_memory_dir);
  const std::unique_ptr<SharedMemoryResource> memory = SharedMemoryFor(shared_memory_dir);
  // There is nothing to score before the first replica has joined, so wait for that, however long it takes.
  ASSIGN_OR_RETURN(const DescribedRun run, LoadEvaluatorsRun(coordinator, command_line, DataFlags(), [&] {
                     options.clock->SleepFor(kPoll);
                     return !Interrupted();
                   }));
  options.coordinator = &coordinator;
  options.connect_shard =
      Measured(GrpcShardConnector(0, Interrupted, credentials, shared_memory_dir, memory.get()), &transfers);
  options.data = &run.data;
  options.run_id = run.run_id;
  options.stopped = Interrupted;
  RETURN_IF_ERROR(RunEvaluator(options));
  return Interrupted() ? absl::CancelledError("stopped") : absl::OkStatus();
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv, {"downpour-evaluator", downpour::kUsage, downpour::Run});
}
