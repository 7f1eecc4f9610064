// Where on the data's way: the coordinator's program; it directs the processes of a run and keeps its folder.
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/metrics/metrics_endpoint.h"
#include "common/program/interrupt.h"
#include "common/program/logging.h"
#include "common/program/progress.h"
#include "common/program/progress_watch.h"
#include "common/program/run_program.h"
#include "common/program/run_status.h"
#include "common/rpc/channel.h"
#include "common/rpc/health.h"
#include "common/status_macros.h"
#include "common/tls/tls_flags.h"
#include "server/coordinator/run_folder.h"
#include "server/service/coordinator_service.h"
#include "server/shard/checkpointer.h"
#include "server/shard/recut.h"
#include "server/storage/run_files.h"

ABSL_FLAG(std::string, run_dir, "",
          "the run folder: log, checkpoints, run.textproto; a run in it is resumed");
ABSL_FLAG(std::string, listen, "127.0.0.1:7100", "host:port to listen at; port 0 takes a free one");
ABSL_FLAG(std::string, port_file, "", "if set, host:port is written to this file as soon as it listens");
ABSL_FLAG(bool, restart, false,
          "throw away the run in run_dir, with the shards' checkpoints in it, and begin anew; not for a "
          "coordinator that is started again by itself");
ABSL_FLAG(bool, from_log, false,
          "if the coordinator's checkpoint is lost, go on with the shards' checkpoints from the last line of "
          "frame_accuracy.csv; such a start is refused otherwise");
ABSL_FLAG(bool, reshard, false,
          "let the run go on with another cluster.shards: re-cuts the shards' checkpoints where they lie in "
          "run_dir/checkpoints (downpour-server --reshard_to re-cuts others); no server may be at work");
ABSL_FLAG(bool, verbose, false, "log to the terminal as well as to <run_dir>/log.txt");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Coordinates one run: gives each shard its range and each replica its data, notices those that die,
writes the accuracy log, and ends the run at its budget; then the program ends too. Ctrl-C stops it, and the
same command resumes.

  downpour-coordinator run.textproto --run_dir=runs/mine --budget.epochs=3

The argument is a run description; any of its fields can be set on the command line. The other programs of the
run are started on the same or other machines: downpour-server once a shard, any number of downpour-worker,
and one downpour-evaluator, each with --coordinator=host:port. deploy/local starts them all here.)";

constexpr absl::Duration kTick = absl::Milliseconds(100);
constexpr absl::Duration kDeathCheck = absl::Seconds(1);
// Every other process asks the coordinator at least once a second, until it is told that the run is over.
constexpr absl::Duration kQuiet = absl::Milliseconds(2500);
// The update of a slow replica, or an evaluation at the end, may take long.
constexpr absl::Duration kPatience = absl::Minutes(5);
constexpr char kHealthService[] = "downpour.ClusterCoordinator";
constexpr absl::Duration kLongestGoodbye = absl::Seconds(60);

// Whether replicas are in the cluster that are to make updates.
bool IsBusy(const RunStatus& status) {
  return status.phase() == RunStatus::TRAINING && status.live_replicas() > 0 && status.fraction_done() < 1;
}

// Returns when the run is over and everybody knows it. CANCELLED: interrupted.
absl::Status Coordinate(Coordinator& coordinator, const CoordinatorService& service,
                        const ListeningServer& server, Clock* clock) {
  Progress progress("coordinator", clock);
  ProgressWatch progress_watch(kPatience);
  absl::Time next_death_check = clock->Now();
  absl::Time finished = absl::InfiniteFuture();
  for (;; clock->SleepFor(kTick)) {
    if (Interrupted()) return absl::CancelledError("stopped; the same command resumes");
    const absl::Time now = clock->Now();
    if (now >= next_death_check) {
      coordinator.RemoveDeadReplicas();
      coordinator.LookForLostShards();
      next_death_check = now + kDeathCheck;
    }
    ASSIGN_OR_RETURN(const RunStatus status, coordinator.GetRunStatus({}));
    const int64_t done = status.updates() + status.pushes_rejected() + status.pushes_late();
    SetMakesProgress(server, kHealthService, progress_watch.Look(done, IsBusy(status), now));
    if (status.phase() != RunStatus::FINISHED) {
      progress.Update(status.fraction_done(), DescribeStatus(status));
      continue;
    }
    finished = std::min(finished, now);
    const bool all_told =
        status.live_replicas() == 0 && now - std::max(service.last_request(), finished) > kQuiet;
    if (all_told || now - finished > kLongestGoodbye) {
      progress.Finish(absl::StrCat("finished: ", DescribeStatus(status)));
      return absl::OkStatus();
    }
  }
}

absl::Status Run(const CommandLine& command_line) {
  ASSIGN_OR_RETURN(const RunDescription description, RunDescriptionFrom(command_line));
  const std::string folder = absl::GetFlag(FLAGS_run_dir);
  if (folder.empty()) return absl::InvalidArgumentError("--run_dir is not set, want the folder of the run");
  if (absl::GetFlag(FLAGS_restart)) RETURN_IF_ERROR(RemoveRun(folder));
  RETURN_IF_ERROR(
      SetUpLogging("coordinator", absl::StrCat(folder, "/log.txt"), absl::GetFlag(FLAGS_verbose)));
  ASSIGN_OR_RETURN(const Security security, SecurityFromFlags({"coordinator"}));
  ASSIGN_OR_RETURN(const HostPort where, ParseHostPort(absl::GetFlag(FLAGS_listen)));
  RETURN_IF_ERROR(CheckMayListen(where, security));  // before a run begins
  Clock* const clock = Clock::Real();
  RunFolderOptions options;
  if (absl::GetFlag(FLAGS_from_log)) options.lost = LostCheckpoint::kFromLog;
  options.reshard = absl::GetFlag(FLAGS_reshard);
  ASSIGN_OR_RETURN(RunFolder run, RunFolder::Open(folder, description, clock, options));
  // In containers the shards have their checkpoints elsewhere, where downpour-server --reshard_to re-cuts them.
  const std::string checkpoints = folder + "/checkpoints";
  if (options.reshard && run.resumed() && CheckpointExists(ShardCheckpointPath(checkpoints, 0)))
    RETURN_IF_ERROR(RecutCheckpoints(checkpoints, description.cluster().shards()));
  CoordinatorService service(&run.coordinator(), clock);
  ASSIGN_OR_RETURN(const auto metrics,
                   ServeMetrics(security, [&](MetricFamilies* all) { run.AddMetrics(all); }));
  ASSIGN_OR_RETURN(ListeningServer server,
                   ListenAt(absl::GetFlag(FLAGS_listen), {&service},
                            {.credentials = std::make_shared<Credentials>(security)}));
  LogInfo(run.resumed() ? "resumed" : "began", " a run at ", server.address);
  if (const std::string file = absl::GetFlag(FLAGS_port_file); !file.empty()) {
    RETURN_IF_ERROR(ReplaceFile(file, {server.address, "\n"}));
  }
  RETURN_IF_ERROR(run.SetAddress(server.address));
  absl::Status status = Coordinate(run.coordinator(), service, server, clock);
  // Before the checkpoint, so that it has all that is answered.
  server.server.reset();
  RETURN_IF_ERROR(run.SetAddress(""));
  RETURN_IF_ERROR(run.CheckpointNow());
  return status;
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv, {"downpour-coordinator", downpour::kUsage, downpour::Run});
}
