// Where on the data's way: the program of replicas; loads the data once, and gives each replica a thread.
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/back_off.h"
#include "common/program/allocator.h"
#include "common/program/command_line.h"
#include "common/program/exit_code.h"
#include "common/program/interrupt.h"
#include "common/program/logging.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "spdlog/spdlog.h"
#include "worker/replica/described_run.h"
#include "worker/replica/replica_loop.h"
#include "worker/transport/grpc_coordinator_client.h"
#include "worker/transport/grpc_shard_connector.h"

ABSL_FLAG(std::string, coordinator, "127.0.0.1:7100", "host:port of the coordinator; it may start later");
ABSL_FLAG(int, replicas, 1, "model replicas in this process; they share its memory of the data");
ABSL_FLAG(int, compute_threads, 1, "threads that compute one replica's gradient");
ABSL_FLAG(std::string, shared_memory_dir, "/dev/shm",
          "folder of the shards' --shared_memory_dir, as this process sees it: with those of its own host it "
          "shares memory; empty: always by gRPC");
ABSL_FLAG(std::string, log_file, "", "log here as well as to the terminal");
ABSL_FLAG(bool, verbose, false, "log everything to the terminal, not warnings only");

namespace downpour {
namespace {

constexpr char kUsage[] =
    "Runs model replicas of a run: fetch the parameters, compute the gradient of a minibatch, push it. The "
    "coordinator\n"
    "says which run; it may be joined and left (Ctrl-C) at any time. Ends by itself when the run is over.\n"
    "\n"
    "  downpour-worker --coordinator=127.0.0.1:7100 --replicas=4 --data.train_dir=/local/disk/train\n"
    "\n"
    "A run description, as a file or as settings, is not needed. One that is given must be of the same run; "
    "its data\n"
    "paths then take the place of the coordinator's.";

absl::Status Run(const CommandLine& command_line) {
  const int replicas = absl::GetFlag(FLAGS_replicas);
  if (replicas < 1)
    return absl::InvalidArgumentError(absl::StrCat("--replicas=", replicas, ": want at least 1"));
  RETURN_IF_ERROR(SetUpLogging("worker", absl::GetFlag(FLAGS_log_file), absl::GetFlag(FLAGS_verbose)));
  // If one replica fails, the whole process ends, and whoever supervises it starts it again.
  std::atomic<bool> failed = false;
  const auto stopped = [&failed] { return failed || Interrupted(); };
  CoordinatorStub::Options coordinator_options;
  coordinator_options.address = absl::GetFlag(FLAGS_coordinator);
  coordinator_options.retry.stopped = stopped;
  GrpcCoordinatorClient coordinator(coordinator_options);
  ASSIGN_OR_RETURN(const bool finished, RunIsFinished(coordinator));
  if (finished) return absl::OkStatus();
  ASSIGN_OR_RETURN(DescribedRun run, LoadWorkersRun(coordinator, command_line));

  std::string host(256, '\0');
  gethostname(host.data(), host.size() - 1);
  const std::string shared_memory_dir = absl::GetFlag(FLAGS_shared_memory_dir);
  const std::unique_ptr<SharedMemoryResource> memory = SharedMemoryFor(shared_memory_dir);
  std::vector<absl::Status> results(replicas);
  std::vector<std::thread> threads;
  for (int index = 0; index < replicas; ++index) {
    ReplicaLoopOptions options;
    options.coordinator = &coordinator;
    options.connect_shard = GrpcShardConnector(index, stopped, shared_memory_dir, memory.get());
    if (memory != nullptr) options.memory = memory.get();
    options.data = run.data.train;
    options.data_summary = run.data.summary;
    options.run_id = run.run_id;
    options.host = host.c_str();
    options.compute_threads = absl::GetFlag(FLAGS_compute_threads);
    options.jitter_seed = RandomAt(ProcessJitterSeed(), index);
    options.stopped = stopped;
    threads.emplace_back([&failed, &result = results[index], options = std::move(options)] {
      result = RunReplica(options);
      if (result.ok()) return;
      spdlog::error("a replica failed, and so this process ends: {}", std::string(result.message()));
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
  downpour::KeepMemoryOfChunks();
  const auto command_line = downpour::ParseCommandLine(argc, argv, downpour::kUsage, /*takes_settings=*/true);
  if (!command_line.ok()) return downpour::ExitCode("downpour-worker", command_line.status());
  downpour::CatchInterrupts();
  return downpour::ExitCode("downpour-worker", downpour::Run(*command_line));
}
