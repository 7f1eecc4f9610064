// Where on the data's way: deploy/grid, the program around all runs of a grid; their report and table go out.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/file/file.h"
#include "common/program/checked_flag.h"
#include "common/program/run_description.h"
#include "common/program/run_description_rules.h"
#include "common/program/run_program.h"
#include "common/status_macros.h"
#include "deploy/grid/grid.h"
#include "deploy/grid/grid_jobs.h"
#include "deploy/grid/grid_record.h"
#include "deploy/grid/grid_results.h"
#include "deploy/report/sweep_report.h"
#include "server/storage/folder_lock.h"

ABSL_FLAG(std::string, out, "",
          "folder of all runs and of their report; empty: runs/GRID for GRID.textproto");
ABSL_FLAG(
    std::string, only, "",
    "values to run, e.g. replicas=1,10,optimizer=SGD:0.5; a dimension that is not named keeps all of its "
    "own, and one with a field takes also values that the grid does not list");
ABSL_FLAG(std::string, seeds, "", "seeds instead of the grid's, e.g. 1,2,3");
ABSL_FLAG(std::string, on, "", "virtual or compose, instead of what the grid says");
ABSL_FLAG(int, jobs, 0, "runs at a time; 0: as many as the grid says, which without a word is one a core");
ABSL_FLAG(int, threads, 0,
          "compute threads of a run, in the simulated cluster; 0: the cores divided by the runs at a time");
ABSL_FLAG(bool, allow_commands, false,
          "let every run run the commands that stand in feats.scp in place of archives");
ABSL_FLAG(bool, restart, false, "begin those runs anew whose folder holds another run, which is thrown away");

namespace downpour {
namespace {

namespace fs = std::filesystem;

constexpr char kUsage[] =
    R"(Trains all runs of a grid, several at a time, and draws them in one report.

  downpour-sweep deploy/sweep.textproto
  downpour-sweep deploy/sweep.textproto --only=replicas=1,10 --seeds=1,2,3 --budget.epochs=2

The argument is a grid (proto/grid.proto): a run description, dimensions such as the number of replicas with
the values of each, and seeds. A field of the run description that is set on the command line is set in every
run. All paths, also those in the files, are relative to the folder of the call.

A run has the folder OUT/NAME, its output is in OUT/NAME.log. Ctrl-C stops all runs; the same command goes on
from there, and does not make again what is finished. So values and seeds can be added later, and a larger
--budget.* lets finished runs go on. At the end OUT/report.html shows the mean over the seeds and their range,
OUT/report.svg and speed_up.svg are its main figures, and OUT/sweep.csv has a line for each run.

With --on=compose each run is a stack of containers (deploy/README.md), one after the other; the fields go
into SETTINGS, so their values have no blanks. COMPOSE_FILE names the Compose file; deploy/sweep sets it.)";

// Bash waits for `compose up`, which gets the same Ctrl-C, before it obeys the trap.
constexpr char kCompose[] = R"bash(
compose=(docker-compose)
! docker compose version >/dev/null 2>&1 || compose=(docker compose)
trap '"${compose[@]}" stop; exit 130' INT
set -e
"${compose[@]}" up
code=$(docker inspect -f '{{.State.ExitCode}}' "$("${compose[@]}" ps -aq coordinator)")
"${compose[@]}" down
exit "$code")bash";

// What a person sees while the runs go on: on a terminal a line for each run under way, rewritten each
// second; elsewhere a line for each run that has finished.
class Display {
 public:
  Display(const std::vector<GridJob>* jobs, size_t total) : jobs_(jobs), total_(total) {}

  void Finished(size_t job) {
    ++made_;
    if (!terminal_) std::cout << Summary() << ": " << (*jobs_)[job].name << std::endl;
    due_ = absl::InfinitePast();
  }
  void End() {
    due_ = absl::InfinitePast();
    Show({}, absl::OkStatus());
  }
  void Show(const std::vector<size_t>& running, const absl::Status& failure) {
    if (!terminal_ || Clock::Real()->Now() < due_) return;
    due_ = Clock::Real()->Now() + absl::Seconds(1);
    winsize size{};
    const size_t width =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 3 ? size.ws_col - 3 : 77;
    std::string text = lines_ > 0 ? absl::StrFormat("\033[%dA\033[J", lines_) : "";
    absl::StrAppend(&text, failure.ok() ? Summary() : "a run has failed; waiting for the others", "\n");
    for (const size_t job : running) {
      const std::vector<std::string> last = LastLines((*jobs_)[job].log, 1);
      const std::string& name = (*jobs_)[job].name;
      std::string line = last.empty() ? "starting" : last[0];
      if (!absl::StartsWith(line, name)) line = absl::StrCat(name, ": ", line);
      absl::StrAppend(&text, "  ", line.substr(0, width), "\n");
    }
    lines_ = running.size() + 1;
    std::cout << text << std::flush;
  }

 private:
  std::string Summary() const {
    const size_t left = jobs_->size() - made_;
    std::string text = absl::StrFormat("%d of %d runs done", total_ - left, total_);
    if (made_ == 0 || left == 0) return text;
    const absl::Duration each = (Clock::Real()->Now() - began_) / static_cast<int64_t>(made_);
    return absl::StrCat(text, ", ",
                        absl::FormatDuration(absl::Ceil(each * static_cast<int64_t>(left), absl::Seconds(1))),
                        " left");
  }

  const std::vector<GridJob>* const jobs_;
  const size_t total_;  // runs of the grid, of which `jobs` are those that were not finished before
  const bool terminal_ = isatty(STDOUT_FILENO) != 0;
  const absl::Time began_ = Clock::Real()->Now();
  absl::Time due_ = absl::InfinitePast();
  size_t made_ = 0;
  size_t lines_ = 0;  // on the terminal now
};

int Cores() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

absl::Status ApplyFlags(GridDescription* grid) {
  RETURN_IF_ERROR(KeepOnly(absl::GetFlag(FLAGS_only), grid));
  if (const std::string seeds = absl::GetFlag(FLAGS_seeds); !seeds.empty()) {
    grid->clear_seed();
    RETURN_IF_ERROR(MergeTextproto(absl::StrCat("seed: [", seeds, "]"), "--seeds", grid));
  }
  GridDescription::Cluster on = grid->on();
  const std::string wanted = absl::GetFlag(FLAGS_on);
  if (!wanted.empty() && !GridDescription::Cluster_Parse(absl::AsciiStrToUpper(wanted), &on))
    return absl::InvalidArgumentError(absl::StrCat("--on is '", wanted, "', want virtual or compose"));
  grid->set_on(on);
  RETURN_IF_ERROR(FlagFrom(FLAGS_threads, 0).status());
  ASSIGN_OR_RETURN(const int jobs, FlagFrom(FLAGS_jobs, 0));
  if (jobs > 0) grid->set_jobs(jobs);
  if (grid->jobs() < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("jobs is ", grid->jobs(), ", want 0 (one a core) or more"));
  if (grid->jobs() == 0) grid->set_jobs(Cores());
  if (on != GridDescription::COMPOSE) return absl::OkStatus();
  grid->set_jobs(1);
  if (absl::GetFlag(FLAGS_restart))
    return absl::InvalidArgumentError("--restart is set with --on=compose, want another --out instead");
  return absl::OkStatus();
}

absl::Status CheckRun(const GridRun& run, bool compose) {
  absl::Status checked = compose ? absl::OkStatus() : ValidateRunDescription(run.description);
  for (const auto& [path, value] : run.settings) {
    if (compose && value.find_first_of(" \t\n") != std::string::npos)
      checked = absl::InvalidArgumentError(
          absl::StrCat("--", path, " is '", value, "', want no blanks in containers"));
  }
  if (checked.ok()) return checked;
  return absl::InvalidArgumentError(absl::StrCat(run.name, ": ", checked.message()));
}

std::vector<std::string> TrainCommand(const GridDescription& grid, const GridRun& run, const fs::path& folder,
                                      bool restart) {
  const fs::path programs = fs::read_symlink("/proc/self/exe").parent_path();
  std::vector<std::string> command = {programs / "downpour-train"};
  if (grid.has_base()) command.push_back(grid.base());
  command.push_back(absl::StrCat("--run_dir=", folder.string()));
  const int threads = absl::GetFlag(FLAGS_threads);
  command.push_back(absl::StrCat("--threads=", threads != 0 ? threads : std::max(1, Cores() / grid.jobs())));
  if (restart) command.emplace_back("--restart");
  if (absl::GetFlag(FLAGS_allow_commands)) command.emplace_back("--allow_commands");
  for (const auto& [path, value] : run.settings) command.push_back(absl::StrCat("--", path, "=", value));
  return command;
}

std::vector<std::string> ComposeCommand(const GridRun& run, const fs::path& out) {
  std::string settings;
  for (const auto& [path, value] : run.settings) absl::StrAppend(&settings, "--", path, "=", value, " ");
  const char* const user = std::getenv("SETTINGS");
  std::vector<std::string> command = {"env", absl::StrCat("RUNS_DIR=", fs::absolute(out).string()),
                                      absl::StrCat("WORKERS=", run.description.cluster().replicas()),
                                      absl::StrCat("RUN_NAME=", run.name),
                                      absl::StrCat("SETTINGS=", settings, user == nullptr ? "" : user)};
  if (absl::GetFlag(FLAGS_allow_commands)) command.emplace_back("ALLOW_COMMANDS=1");
  command.insert(command.end(), {"bash", "-c", kCompose});
  return command;
}

// Makes what is missing of `runs` in the folder `out`.
absl::Status MakeRuns(const GridDescription& grid, const std::vector<GridRun>& runs, const fs::path& out) {
  const bool compose = grid.on() == GridDescription::COMPOSE;
  std::vector<const GridRun*> missing;
  std::vector<GridJob> jobs;
  for (const GridRun& run : runs) {
    const fs::path folder = out / run.name;
    ASSIGN_OR_RETURN(HeldRun held, ReadHeldRun(folder));
    if (compose) held.begun.reset();  // the coordinator's description, with all that the entrypoint sets
    const absl::StatusOr<NextStep> step = DecideNextStep(held, run.description, absl::GetFlag(FLAGS_restart));
    if (!step.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(folder.string(), " holds ", step.status().message(),
                       "; want another --out, or --restart to throw that run away"));
    }
    if (*step == NextStep::kNothing) continue;
    missing.push_back(&run);
    jobs.push_back(
        {run.name,
         compose ? ComposeCommand(run, out) : TrainCommand(grid, run, folder, *step == NextStep::kRestart),
         folder.string() + ".log"});
  }
  for (const GridRun* run : missing) RETURN_IF_ERROR(ForgetFinished(out / run->name));
  Display display(&jobs, runs.size());
  const GridJobEvents events = {
      [&](size_t job) {
        display.Finished(job);
        return RecordFinished(out / missing[job]->name, missing[job]->description);
      },
      [&](const auto& running, const absl::Status& failure) { display.Show(running, failure); }};
  absl::Status made = RunGridJobs(jobs, grid.jobs(), events, Clock::Real());
  display.End();
  return made;
}

absl::Status WriteResults(const GridDescription& grid, const std::vector<GridRun>& runs,
                          const fs::path& out) {
  std::vector<LoggedRun> logs;
  for (const GridRun& run : runs) {
    ASSIGN_OR_RETURN(logs.emplace_back(), ReadRun(out / run.name));
  }
  RETURN_IF_ERROR(ReplaceFile(out / "sweep.csv", {SweepCsv(grid, runs, logs)}));
  const Report report = MakeSweepReport(std::move(logs));
  RETURN_IF_ERROR(ReplaceFile(out / "report.html", {report.html}));
  RETURN_IF_ERROR(ReplaceFile(out / "report.svg", {report.svg}));
  if (!report.speed_up_svg.empty()) RETURN_IF_ERROR(ReplaceFile(out / "speed_up.svg", {report.speed_up_svg}));
  std::cout << PlainTable(report.results) << "\n"
            << (out / "report.html").string() << "\n"
            << (out / "sweep.csv").string() << "\n";
  return absl::OkStatus();
}

absl::Status Sweep(const CommandLine& command_line) {
  if (command_line.positional.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(command_line.positional.size(), " arguments, want one, the file of a grid; see --help"));
  }
  const fs::path path = command_line.positional[0];
  ASSIGN_OR_RETURN(GridDescription grid, ReadGrid(path));
  RETURN_IF_ERROR(ApplyFlags(&grid));
  const bool compose = grid.on() == GridDescription::COMPOSE;
  RunDescription base;
  if (grid.has_base() && !compose) {
    ASSIGN_OR_RETURN(base, ReadRunDescription(grid.base()));
  }
  ASSIGN_OR_RETURN(const std::vector<GridRun> runs, ExpandGrid(grid, base, command_line.settings));
  for (const GridRun& run : runs) RETURN_IF_ERROR(CheckRun(run, compose));

  fs::path out = absl::GetFlag(FLAGS_out);
  if (out.empty()) out = fs::path("runs") / path.stem();
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make ", out.string(), ": ", error.message()));
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Acquire(out));
  RETURN_IF_ERROR(MakeRuns(grid, runs, out));
  return WriteResults(grid, runs, out);
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv, {"downpour-sweep", downpour::kUsage, downpour::Sweep});
}
