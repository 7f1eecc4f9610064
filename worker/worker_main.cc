// Where on the data's way: worker, the replicas' program; loads the data, and gives each replica a thread.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "common/back_off.h"
#include "common/metrics/metrics_endpoint.h"
#include "common/program/checked_flag.h"
#include "common/program/cluster_flags.h"
#include "common/program/interrupt.h"
#include "common/program/logging.h"
#include "common/program/run_program.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/tls/tls_flags.h"
#include "worker/data/data_flags.h"
#include "worker/replica/described_run.h"
#include "worker/replica/measured_shard_client.h"
#include "worker/replica/replica_loop.h"
#include "worker/transport/grpc_coordinator_client.h"
#include "worker/transport/grpc_shard_connector.h"

ABSL_FLAG(int, replicas, 1, "model replicas in this process; they share its memory of the data");
ABSL_FLAG(int, compute_threads, 1, "threads that compute one replica's gradient");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Runs model replicas of a run. Each fetches the parameters, computes the gradient of a minibatch, pushes
it to the shards, and begins again. A worker may join and leave (Ctrl-C) at any time. Ends by itself when the
run is over.

  downpour-worker --coordinator=127.0.0.1:7100 --replicas=4 --data.train_dir=/local/disk/train

The coordinator sends the run description. One that is given here too, as a file or as settings, must be of
the same run; its data paths then take the place of the coordinator's.)";

// What all replicas of this process have done.
struct Counted {
  Transfers transfers;
  DurationCounter gradients;

  void AddTo(int replicas, MetricFamilies* families) const {
    transfers.AddTo("any", families);
    families->AddGauge("downpour_worker_replicas", "Replicas of this worker.", replicas);
    families->AddDurations("downpour_gradient_duration_seconds", "Time to compute a minibatch's gradient.",
                           gradients.count(), gradients.sum());
  }
};

absl::Status Run(const CommandLine& command_line) {
  ASSIGN_OR_RETURN(const int replicas, FlagFrom(FLAGS_replicas, 1));
  ASSIGN_OR_RETURN(const int compute_threads, FlagFrom(FLAGS_compute_threads, 1));
  ASSIGN_OR_RETURN(const absl::Duration give_up_after, FlagFrom(FLAGS_give_up_after, absl::ZeroDuration()));
  RETURN_IF_ERROR(SetUpClusterProcess("worker"));
  ASSIGN_OR_RETURN(const Security security, SecurityFromFlags({"worker"}));
  const auto credentials = std::make_shared<Credentials>(security);
  Counted counted;
  ASSIGN_OR_RETURN(const auto metrics,
                   ServeMetrics(security, [&](MetricFamilies* all) { counted.AddTo(replicas, all); }));
  // When one replica fails, all of them stop and the process fails, so that a supervisor starts it anew.
  std::atomic<bool> failed = false;
  const auto stopped = [&failed] { return failed || Interrupted(); };
  CoordinatorStub::Options coordinator_options;
  coordinator_options.address = absl::GetFlag(FLAGS_coordinator);
  coordinator_options.credentials = credentials;
  coordinator_options.retry.stopped = stopped;
  coordinator_options.retry.give_up_after = give_up_after;
  GrpcCoordinatorClient patient(coordinator_options);
  ASSIGN_OR_RETURN(const RunStatus status, patient.GetRunStatus({}));
  if (status.phase() == RunStatus::FINISHED) return absl::OkStatus();
  ASSIGN_OR_RETURN(DescribedRun run, LoadWorkersRun(patient, command_line, DataFlags()));
  // The replicas' loops try again by themselves.
  coordinator_options.retry.give_up_after = std::min(give_up_after, RetryPolicy().give_up_after);
  GrpcCoordinatorClient coordinator(coordinator_options);

  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  const std::string shared_memory_dir = absl::GetFlag(FLAGS_shared_memory_dir);
  const std::unique_ptr<SharedMemoryResource> memory = SharedMemoryFor(shared_memory_dir);
  std::vector<absl::Status> results(replicas);
  std::vector<std::thread> threads;
  for (int index = 0; index < replicas; ++index) {
    ReplicaLoopOptions options;
    options.coordinator = &coordinator;
    options.connect_shard = Measured(
        GrpcShardConnector(index, stopped, credentials, shared_memory_dir, memory.get()), &counted.transfers);
    options.gradients = &counted.gradients;
    if (memory != nullptr) options.memory = memory.get();
    options.data = run.data.train;
    options.data_summary = run.data.summary;
    options.run_id = run.run_id;
    options.host = host;
    options.compute_threads = compute_threads;
    options.give_up_after = give_up_after;
    options.jitter_seed = RandomAt(ProcessJitterSeed(), index);
    options.stopped = stopped;
    threads.emplace_back([&failed, &result = results[index], options = std::move(options)] {
      result = RunReplica(options);
      if (result.ok()) return;
      LogError("a replica failed, and so this process ends: ", result.message());
      failed = true;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) RETURN_IF_ERROR(result);
  return Interrupted() ? absl::CancelledError("stopped; its replicas have left the run") : absl::OkStatus();
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv, {"downpour-worker", downpour::kUsage, downpour::Run});
}
