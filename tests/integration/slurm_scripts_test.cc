// Where on the data's way: before it; tests of the scripts in deploy/slurm/ without Slurm: its commands and the
// programs are stand-ins that write down how they were called. deploy/slurm/faults runs them under Slurm.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/wait_for.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// Lives until a signal comes, and writes down which.
constexpr char kUntilSignalled[] = R"(
trap 'echo "$name INT" >>"$FOLDER/calls"; exit 130' INT
trap 'echo "$name TERM" >>"$FOLDER/calls"; exit 130' TERM
echo $BASHPID >>"$FOLDER/pids"
while :; do sleep 0.05; done
)";

class SlurmScripts : public ::testing::Test {
 protected:
  SlurmScripts() {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "run");
    // Tasks of a step are processes of this machine; srun ends as the worst of them.
    Program("path/srun", R"(
ntasks=1
while [[ $1 == --* ]]; do
  [[ $1 != --ntasks=* ]] || ntasks=${1#*=}
  [[ $1 != --job-name=* ]] || echo "7.0 ${1#*=}" >"$FOLDER/steps"
  shift
done
for ((k = 0; k < ntasks; ++k)); do env --default-signal=INT SLURM_PROCID=$k SLURMD_NODENAME=node$k "$@" & tasks+=($!); done
echo "${tasks[@]}" >>"$FOLDER/tasks"
worst=0
for task in "${tasks[@]}"; do wait $task || { code=$?; ((code <= worst)) || worst=$code; }; done
exit $worst
)");
    Program("path/scontrol", R"(
case "$1 $2" in
  "show node") echo "   NodeAddr=10.9.8.7 NodeHostName=$3" ;;
  "show job") for k in 1 2; do printf 'JobId=%s\n   Command=%s/deploy/slurm/%s run\n' $k $SOURCE $SCRIPT; done ;;
  *) echo "scontrol $*" >>"$FOLDER/calls"; exit $(cat "$FOLDER/requeue_code" 2>/dev/null || echo 0) ;;
esac
)");
    // A busy Slurm does not answer at once.
    Program("path/squeue", R"(
[[ -e $FOLDER/asked ]] || { touch "$FOLDER/asked"; echo 'squeue: error: Socket timed out' >&2; exit 1; }
cat "$FOLDER/steps"
echo '7.9 of somebody else'
)");
    // Slurm signals all processes of a step.
    Program("path/scancel",
            "echo \"scancel $*\" >>\"$FOLDER/calls\"\nkill -INT $(cat \"$FOLDER\"/{tasks,pids})\n");
    Program("path/sleep", "exec /bin/sleep 0.02\n");
    SetCoordinator("until [[ -e $FOLDER/over ]]; do sleep 0.02; done\n");
    for (const char* name : {"server", "worker", "evaluator"}) SetProgram(name, "");
  }

  void Program(const std::string& name, const std::string& script) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "#!/bin/bash\n" << script;
    fs::permissions(folder_ / name, fs::perms::owner_all);
  }
  void SetProgram(const std::string& name, const std::string& then) const {
    // Bash starts it with SIGINT ignored, which a script, unlike a program, could not change.
    Program("bin/downpour-" + name,
            absl::StrCat(
                "[[ -n ${again:-} ]] || again=yes exec env --default-signal=INT \"$0\" \"$@\"\nname=", name,
                "\necho \"$name $*\" >>\"$FOLDER/calls\"\n", then));
  }
  void SetCoordinator(const std::string& then) const {
    SetProgram("coordinator", R"(
for a; do [[ $a != --port_file=* ]] || echo 10.9.8.7:71 >"${a#*=}"; done
printf 'cluster {\n  shards: 2\n  replicas: 5\n}\n' >"$FOLDER/run/run.textproto"
)" + then);
  }
  std::unique_ptr<ChildProcess> StartAt(const std::string& script, const std::vector<std::string>& arguments,
                                        const std::vector<std::string>& environment = {}) const {
    std::vector<std::string> command = {"/usr/bin/env",
                                        absl::StrCat("PATH=", (folder_ / "path").string(), ":/usr/bin:/bin"),
                                        "FOLDER=" + folder_.string(),
                                        "DOWNPOUR_BIN=" + (folder_ / "bin").string(),
                                        "SLURM_JOB_ID=7",
                                        "SLURM_JOB_NUM_NODES=3"};
    command.insert(command.end(), environment.begin(), environment.end());
    command.push_back(script);
    command.insert(command.end(), arguments.begin(), arguments.end());
    return std::make_unique<ChildProcess>(command, folder_ / "output");
  }
  std::unique_ptr<ChildProcess> Start(const std::string& script, const std::vector<std::string>& arguments,
                                      const std::vector<std::string>& environment = {}) const {
    return StartAt(absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/slurm/", script), arguments, environment);
  }
  std::vector<std::string> Run() const {
    return {"a.textproto", "--workers=2", "--run_dir=" + run_dir(), "--seed=3", "--restart"};
  }
  std::unique_ptr<ChildProcess> Launch(const std::vector<std::string>& environment = {}) const {
    return Start("launch", Run(), environment);
  }
  bool Says(const std::string& text) const {
    return WaitFor([&] { return absl::StrContains(calls(), text); });
  }
  std::string calls() const { return FileText(folder_ / "calls"); }
  std::string run_dir() const { return (folder_ / "run").string(); }
  std::string Address() const { return FileText(folder_ / "run/coordinator_address"); }
  void SetAddress(const std::string& address) const {
    std::ofstream(folder_ / "run/coordinator_address") << address << "\n";
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / "slurm_scripts_test";
};

TEST_F(SlurmScripts, LaunchStartsEveryRoleAndEndsWithTheRun) {
  SetProgram("worker", "touch \"$FOLDER/over\"\n");
  const auto launch = Launch();
  EXPECT_EQ(launch->Wait(), 0) << launch->Output();
  EXPECT_THAT(calls(), HasSubstr("coordinator a.textproto --seed=3 --restart --run_dir=" + run_dir()));
  EXPECT_THAT(calls(),
              AllOf(HasSubstr("--listen=10.9.8.7:0"), HasSubstr("evaluator --coordinator=10.9.8.7:71"),
                    HasSubstr("--shard=0 "), HasSubstr("--shard=1 "), Not(HasSubstr("--shard=2")),
                    HasSubstr("--state_dir=" + run_dir() + "/checkpoints --listen=10.9.8.7:0")));
  EXPECT_THAT(calls(), AllOf(HasSubstr("worker --coordinator=10.9.8.7:71 --replicas=2"),
                             HasSubstr("worker --coordinator=10.9.8.7:71 --replicas=3")));
  EXPECT_EQ(Address(), "finished\n") << "so that workers elsewhere end";
  for (const char* role : {"coordinator", "evaluator", "shard-0", "shard-1", "worker"}) {
    const std::string key = absl::StrCat(run_dir(), "/tls/", role, "/key.pem");
    EXPECT_TRUE(fs::exists(key)) << key;
    EXPECT_THAT(calls(), HasSubstr("--tls_key=" + key));
  }
}

TEST_F(SlurmScripts, ARequeuedJobThrowsNothingAway) {
  SetProgram("worker", "touch \"$FOLDER/over\"\n");
  const auto launch = Launch({"SLURM_RESTART_COUNT=1"});
  EXPECT_EQ(launch->Wait(), 0) << launch->Output();
  EXPECT_THAT(calls(), Not(HasSubstr("--restart")));
}

TEST_F(SlurmScripts, ProgramsThatDieAreStartedAgainAtTheSameAddress) {
  SetCoordinator(R"(
if [[ ! -e $FOLDER/died ]]; then touch "$FOLDER/died"; exit 1; fi
until [[ -e $FOLDER/over ]]; do sleep 0.02; done
)");
  SetProgram("evaluator", R"(
if [[ ! -e $FOLDER/died_too ]]; then touch "$FOLDER/died_too"; kill -9 $$; fi
until (($(grep -c ^coordinator "$FOLDER/calls") == 2)); do sleep 0.02; done
touch "$FOLDER/over"
)");
  const auto launch = Launch();
  EXPECT_EQ(launch->Wait(), 0) << launch->Output();
  EXPECT_THAT(launch->Output(), AllOf(HasSubstr("coordinator died with exit code 1; starting it again"),
                                      HasSubstr("evaluator died with exit code 137; starting it again")));
  EXPECT_THAT(calls(), ContainsRegex("coordinator a.textproto --seed=3 --run_dir.*--listen=10.9.8.7:71\n"));
}

TEST_F(SlurmScripts, AWrongRunEndsAllTasksWithCodeTwo) {
  SetCoordinator(kUntilSignalled);
  SetProgram("worker", "echo 'other data' >&2; exit 2\n");
  const auto launch = Launch();
  EXPECT_EQ(launch->Wait(), 2) << launch->Output();
  EXPECT_THAT(launch->Output(), AllOf(HasSubstr("failed with exit code 2"), HasSubstr("other data")));
  EXPECT_THAT(calls(), HasSubstr("coordinator INT"));
  EXPECT_FALSE(fs::exists(folder_ / "run/coordinator_address"));
}

TEST_F(SlurmScripts, TheCoordinatorsCodeIsTheRuns) {
  SetProgram("coordinator", "exit 2\n");
  const auto launch = Launch();
  EXPECT_EQ(launch->Wait(), 2) << launch->Output();
  EXPECT_THAT(calls(), Not(HasSubstr("worker")));
}

// Once each, since the same signal twice would end a program in the middle of its checkpoint.
TEST_F(SlurmScripts, BeforeTheTimeLimitAllStopAndTheJobIsRequeued) {
  SetCoordinator(kUntilSignalled);
  for (const char* name : {"server", "worker", "evaluator"}) SetProgram(name, kUntilSignalled);
  for (const char* refused : {"0", "1"}) {
    std::ofstream(folder_ / "requeue_code") << refused;
    fs::remove(folder_ / "calls");
    fs::remove(folder_ / "pids");
    fs::remove(folder_ / "tasks");
    const auto launch = Launch();
    ASSERT_TRUE(WaitFor([&] {
      const std::string pids = FileText(folder_ / "pids");
      return std::count(pids.begin(), pids.end(), '\n') == 6;
    })) << launch->Output();
    launch->Signal(SIGUSR2);
    const int code = launch->Wait();
    EXPECT_THAT(calls(),
                AllOf(HasSubstr("scancel --quiet --signal=INT 7.0\n"), HasSubstr("scontrol requeue 7\n")));
    for (const char* name : {"coordinator", "server", "worker", "evaluator"})
      EXPECT_THAT(calls(), HasSubstr(absl::StrCat(name, " INT\n")));
    EXPECT_THAT(calls(), Not(HasSubstr("TERM")));
    if (*refused == '1') {
      EXPECT_EQ(code, 1);
      EXPECT_THAT(launch->Output(), HasSubstr("cannot be requeued"));
    }
  }
}

TEST_F(SlurmScripts, AStopIsNoFailureAndNoRequeue) {
  SetCoordinator(kUntilSignalled);
  const auto launch = Launch();
  ASSERT_TRUE(Says("worker ")) << launch->Output();
  ASSERT_TRUE(WaitFor([&] { return fs::exists(folder_ / "pids"); }));
  launch->Signal(SIGTERM);
  EXPECT_EQ(launch->Wait(), 130) << launch->Output();
  EXPECT_THAT(calls(), AllOf(HasSubstr("coordinator INT"), Not(HasSubstr("requeue"))));
}

// Of the last task of an array Slurm shows all tasks, since its number is that of the array.
TEST_F(SlurmScripts, TheCopyThatSbatchMakesFindsTheCheckout) {
  SetProgram("worker", "touch \"$FOLDER/over\"\n");
  SetAddress("finished");
  for (const char* name : {"downpour.sbatch", "workers.sbatch"}) {
    const fs::path copy = folder_ / "job00007/slurm_script";
    fs::create_directories(copy.parent_path());
    fs::copy_file(absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/slurm/", name), copy,
                  fs::copy_options::overwrite_existing);
    const auto job =
        StartAt(copy, absl::StartsWith(name, "workers") ? std::vector<std::string>{run_dir()} : Run(),
                {absl::StrCat("SOURCE=", DOWNPOUR_SOURCE_DIR), absl::StrCat("SCRIPT=", name)});
    EXPECT_EQ(job->Wait(), 0) << name << ": " << job->Output();
  }
  EXPECT_THAT(calls(), HasSubstr("coordinator a.textproto"));
}

TEST_F(SlurmScripts, BatchScriptsExplainThemselvesOutsideOfSlurm) {
  for (const char* name : {"downpour.sbatch", "workers.sbatch"}) {
    const auto help = Start(name, {"--help"}, {"SLURM_JOB_ID="});
    EXPECT_EQ(help->Wait(), 0);
    EXPECT_THAT(help->Output(), HasSubstr(absl::StrCat("deploy/slurm/", name)));
    EXPECT_EQ(Start(name, {"--no-such-option"}, {"SLURM_JOB_ID="})->Wait(), 2);
  }
}

TEST_F(SlurmScripts, LaunchWantsAnAllocation) {
  const auto launch = Launch({"SLURM_JOB_ID="});
  EXPECT_EQ(launch->Wait(), 2);
  EXPECT_THAT(launch->Output(), HasSubstr("not inside an allocation"));
}

TEST_F(SlurmScripts, AWorkerFollowsTheRunToAnotherAddress) {
  SetProgram("worker", "[[ $* == *:72* ]] || exit 1\n");
  fs::create_directories(run_dir() + "/tls/worker");  // as the run's job has made it
  const auto worker = Start("workers.sbatch", {run_dir(), "--replicas=4"});
  SetAddress("10.9.8.7:71");
  ASSERT_TRUE(Says(absl::StrCat("worker --coordinator=10.9.8.7:71 --give_up_after=20s --tls_ca=", run_dir(),
                                "/tls/worker/ca.pem ")));
  EXPECT_THAT(calls(), HasSubstr("/key.pem --replicas=4\n"));
  EXPECT_EQ(worker->Wait(absl::ZeroDuration()), -1);
  SetAddress("10.9.8.7:72");
  EXPECT_EQ(worker->Wait(), 0);
}

TEST_F(SlurmScripts, AWorkerThatComesTooLateEndsWell) {
  SetAddress("finished");
  const auto worker = Start("workers.sbatch", {run_dir()});
  EXPECT_EQ(worker->Wait(), 0) << worker->Output();
  EXPECT_EQ(calls(), "");
}

TEST_F(SlurmScripts, AWorkerWithoutACoordinatorGivesUp) {
  const auto worker = Start("workers.sbatch", {run_dir(), "--wait=0"});
  EXPECT_EQ(worker->Wait(), 1);
  EXPECT_THAT(worker->Output(), HasSubstr("no coordinator of " + run_dir()));
}

TEST_F(SlurmScripts, AWorkersCodeTwoIsFinal) {
  SetProgram("worker", "exit 2\n");
  SetAddress("10.9.8.7:71");
  EXPECT_EQ(Start("workers.sbatch", {run_dir()})->Wait(), 2);
}

// Whether the script alone is signalled, as by kill, or all processes of the job, as by Slurm.
TEST_F(SlurmScripts, AWorkerLeavesAtASignal) {
  SetProgram("worker", R"(
trap 'echo leaves >>"$FOLDER/calls"; exit 130' INT
trap 'echo leaves >>"$FOLDER/calls"; exit 130' TERM
touch "$FOLDER/pids"
while :; do sleep 0.05; done
)");
  SetAddress("10.9.8.7:71");
  for (const int signal : {SIGTERM, SIGINT}) {
    fs::remove(folder_ / "pids");
    fs::remove(folder_ / "calls");
    const auto worker = Start("workers.sbatch", {run_dir()});
    ASSERT_TRUE(WaitFor([&] { return fs::exists(folder_ / "pids"); })) << worker->Output();
    worker->Signal(signal);
    EXPECT_EQ(worker->Wait(), 130) << worker->Output();
    EXPECT_THAT(calls(), HasSubstr("leaves"));
  }
}

}  // namespace
}  // namespace downpour
