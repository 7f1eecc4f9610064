// Where on the data's way: deploy/in_process, the program around all of it: data in, a run folder out.
#include <algorithm>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/printable.h"
#include "common/program/checked_flag.h"
#include "common/program/interrupt.h"
#include "common/program/logging.h"
#include "common/program/progress.h"
#include "common/program/run_program.h"
#include "common/program/run_status.h"
#include "common/status_macros.h"
#include "common/tls/tls_flags.h"
#include "deploy/in_process/training_job.h"
#include "worker/data/data_flags.h"

ABSL_FLAG(std::string, run_dir, "", "run folder: log, curves and checkpoints; made if it is not there");
ABSL_FLAG(int, threads, 0,
          "compute threads; 0: one a core. The virtual clock gives the same bits for any number");
ABSL_FLAG(bool, restart, false, "throw away the run in run_dir and begin anew");
ABSL_FLAG(bool, initial_parameters, false,
          "by the wall clock: a shard whose checkpoint is missing in a run that has made updates begins with "
          "initial parameters; such a start is refused otherwise");
ABSL_FLAG(
    bool, from_log, false,
    "by the wall clock: if the coordinator's checkpoint is lost, go on with the shards' checkpoints from "
    "the last line of frame_accuracy.csv; such a start is refused otherwise");
ABSL_FLAG(bool, reshard, false, "let the run in run_dir go on with another cluster.shards");
ABSL_FLAG(bool, quiet, false, "no progress on the terminal");
ABSL_FLAG(bool, verbose, false, "the whole log on the terminal too, not warnings only");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Trains a network on an in-process cluster: shards, replicas, coordinator and evaluator in one process.

  downpour-train deploy/quickstart.textproto --run_dir=runs/adadelta
  downpour-train deploy/quickstart.textproto --run_dir=runs/adagrad --optimizer=ADAGRAD:0.01

The argument is a run description; any of its fields can be set on the command line. With
--cluster.clock=VIRTUAL (the default) the cluster is simulated in virtual time, and the same description gives
the same bits; with WALL its threads run free. Ctrl-C writes a checkpoint; the same command goes on from
there. The run folder holds frame_accuracy.csv, staleness.csv, TensorBoard event files, log.txt and
checkpoints/, of which two are kept and a third is written beside them.)";

absl::Status Train(const CommandLine& command_line) {
  ASSIGN_OR_RETURN(const RunDescription description, RunDescriptionFrom(command_line));
  const std::string run_dir = absl::GetFlag(FLAGS_run_dir);
  if (run_dir.empty()) return absl::InvalidArgumentError("--run_dir is not set, want the folder of the run");
  ASSIGN_OR_RETURN(const int threads, FlagFrom(FLAGS_threads, 0));
  const bool quiet = absl::GetFlag(FLAGS_quiet);
  if (quiet && absl::GetFlag(FLAGS_verbose))
    return absl::InvalidArgumentError("--quiet and --verbose are both set, want one of them");
  const bool reshard = absl::GetFlag(FLAGS_reshard);
  RETURN_IF_ERROR(PrepareRunFolder(run_dir, description, absl::GetFlag(FLAGS_restart), reshard));
  RETURN_IF_ERROR(SetUpLogging("train", run_dir + "/log.txt", absl::GetFlag(FLAGS_verbose)));

  ASSIGN_OR_RETURN(RunData data, LoadRunData(description.data(), nullptr, DataFlags()));
  for (const std::string& note : data.notes) LogWarning(note);

  TrainingJob job;
  ASSIGN_OR_RETURN(job.security, SecurityFromFlags());
  job.description = description;
  job.data = std::make_shared<RunData>(std::move(data));
  job.run_dir = run_dir;
  job.threads = threads > 0 ? threads : std::max<int>(1, std::thread::hardware_concurrency());
  if (absl::GetFlag(FLAGS_initial_parameters)) job.lost = LostState::kInitialParameters;
  if (absl::GetFlag(FLAGS_from_log)) job.lost_coordinator = LostCheckpoint::kFromLog;
  job.reshard = reshard;
  job.stopped = Interrupted;
  Progress progress(Printable(description.name()), Clock::Real());
  if (!quiet) {
    job.begun = [&](const RunStatus& status, bool resumed) {
      if (status.phase() == RunStatus::FINISHED) {
        absl::PrintF("The run in %s is finished; --restart begins it anew, a larger --budget.* goes on.\n",
                     run_dir);
      } else if (resumed) {
        absl::PrintF("Resuming the run in %s at %d updates.\n", run_dir, status.updates());
      }
    };
    job.progress = [&](const RunStatus& status) {
      progress.Update(status.fraction_done(), DescribeStatus(status));
    };
  }
  ASSIGN_OR_RETURN(const RunStatus end, RunJob(job));
  if (!quiet) progress.Finish(DescribeStatus(end));
  if (end.phase() == RunStatus::FINISHED) return absl::OkStatus();
  return absl::CancelledError(absl::StrCat(
      "stopped at ", end.updates(), " updates; the same command goes on from the checkpoint in ", run_dir));
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv, {"downpour-train", downpour::kUsage, downpour::Train});
}
