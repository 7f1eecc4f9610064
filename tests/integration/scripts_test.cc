// Where on the data's way: before it; tests of the scripts in deploy/ and .ci/: what they say to wrong
// arguments, that they find the checkout however they are called, and that they train, stop at Ctrl-C and go
// on. Their programs only write down how they were called.
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

void WriteProgram(const fs::path& path, const std::string& script) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << "#!/bin/bash\n" << script;
  fs::permissions(path, fs::perms::owner_all);
}

struct Outcome {
  int code;
  std::string output;  // both streams
};

Outcome Shell(const std::string& command) {
  const std::string output = absl::StrCat(::testing::TempDir(), "/scripts_test_output");
  const int status = std::system(absl::StrCat("{ ", command, "; } >", output, " 2>&1 </dev/null").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, FileText(output)};
}

// A training that ends at Ctrl-C only. It waits with `wait`, which a trap interrupts always: a bash that forks
// in a loop may lose a SIGINT as its foreground child ends.
constexpr char kUntilInterrupted[] = R"(
trap 'kill $waited; echo stopped >>calls; exit 130' INT
sleep 60 & waited=$!
)";

class Script : public ::testing::TestWithParam<const char*> {
 protected:
  const std::string path_ = absl::StrCat(DOWNPOUR_SOURCE_DIR, "/", GetParam());
};

TEST_P(Script, ExplainsItself) {
  const Outcome outcome = Shell(path_ + " --help");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.output, HasSubstr(absl::StrCat("usage: ", GetParam())));
}

TEST_P(Script, RefusesAnUnknownArgument) {
  const Outcome outcome = Shell(path_ + " --no-such-option");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr(GetParam()), HasSubstr("--no-such-option"), HasSubstr("--help")));
}

INSTANTIATE_TEST_SUITE_P(Deploy, Script,
                         ::testing::Values("deploy/quickstart", "deploy/test", "deploy/check",
                                           "deploy/packages", "deploy/local", "deploy/sweep",
                                           "deploy/full_scale", "deploy/mnist", "deploy/paper",
                                           "deploy/slurm/launch", "deploy/slurm/task", "deploy/slurm/faults",
                                           "deploy/docker/swarm/faults", ".ci/run"));

// Scripts that look for files of the checkout.
class ScriptOfTheCheckout : public Script {};

TEST_P(ScriptOfTheCheckout, FindsItThroughALinkWithCdpathAndACommaLocale) {
  const fs::path folder = fs::path(::testing::TempDir()) / "script_links";
  fs::remove_all(folder);
  fs::create_directories(folder / "elsewhere");
  fs::create_symlink(path_, folder / "first");
  fs::create_symlink("../first", folder / "elsewhere/second");
  std::ofstream(folder / "reveal")
      << R"(trap 'echo "top=${root:-$PWD}"' EXIT)";  // bash reads it before the script
  const Outcome outcome = Shell(absl::StrCat("cd ", folder.string(),
                                             " && CDPATH=.:/ LC_ALL=de_DE.UTF-8 BASH_ENV=", folder.string(),
                                             "/reveal elsewhere/second --help"));
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr(absl::StrCat("usage: ", GetParam())));
  EXPECT_THAT(outcome.output,
              HasSubstr(absl::StrCat("top=", fs::canonical(DOWNPOUR_SOURCE_DIR).string(), "\n")));
}

INSTANTIATE_TEST_SUITE_P(Deploy, ScriptOfTheCheckout,
                         ::testing::Values("deploy/quickstart", "deploy/test", "deploy/check", "deploy/local",
                                           "deploy/sweep", "deploy/full_scale", "deploy/paper", ".ci/run",
                                           "deploy/docker/engine", "deploy/docker/faults",
                                           "deploy/docker/image", "deploy/slurm/launch",
                                           "deploy/slurm/faults", "deploy/docker/swarm/faults"));

// Every script in the tree, by its path in it.
std::vector<std::string> AllScripts() {
  std::vector<std::string> scripts;
  for (const char* top : {"deploy", ".ci"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(DOWNPOUR_SOURCE_DIR) / top)) {
      if (entry.is_regular_file() && absl::StartsWith(FileText(entry.path()), "#!/bin/bash\n")) {
        scripts.push_back(fs::relative(entry.path(), DOWNPOUR_SOURCE_DIR).string());
      }
    }
  }
  return scripts;
}

TEST(Scripts, ResolveLinksBeforeTheyLookForTheCheckout) {
  EXPECT_THAT(AllScripts(), AllOf(Contains("deploy/docker/engine"), Contains(".ci/run")));
  for (const std::string& script : AllScripts()) {
    for (absl::string_view line : absl::StrSplit(FileText(fs::path(DOWNPOUR_SOURCE_DIR) / script), '\n')) {
      // A relative `cd` follows CDPATH and then prints where it went.
      EXPECT_FALSE(absl::StrContains(line, "$(cd ")) << script << ": " << line;
      if (absl::StrContains(line, "dirname")) {
        EXPECT_TRUE(absl::StrContains(line, "readlink -f -- \"${BASH_SOURCE[0]}\""))
            << script << ": " << line;
      }
    }
  }
}

// awk and printf write 0,5 for a half under many a locale, and awk reads "0,5" as 0.
TEST(Scripts, WriteAndReadNumbersWithADecimalPoint) {
  for (const std::string& script : AllScripts()) {
    const std::string text = FileText(fs::path(DOWNPOUR_SOURCE_DIR) / script);
    const size_t locale = text.find("\nexport LC_ALL=C\n");
    EXPECT_NE(locale, std::string::npos) << script;
    EXPECT_LT(locale, std::min(text.find("awk "), text.find("printf "))) << script;
  }
}

// A copy of a script in a folder of its own. Its programs write their arguments to the file `calls`.
class CopiedScript : public ::testing::Test {
 protected:
  explicit CopiedScript(const std::string& script)
      : root_(fs::path(::testing::TempDir()) / absl::StrCat(script, "_test")), script_(script) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "deploy");
    fs::copy_file(fs::path(DOWNPOUR_SOURCE_DIR) / "deploy" / script, root_ / "deploy" / script);
    WriteProgram(root_ / "deploy/packages", "exit 0\n");
    WriteProgram(root_ / "path/cmake", "echo '[1/1] Building'\n");
    WriteProgram(root_ / "build/release/bin/downpour-corpus", "echo corpus \"$@\" >>calls\n");
    WriteProgram(root_ / "build/release/bin/downpour-report", "echo report \"$@\" >>calls; echo the table\n");
    SetTraining("");
  }
  void SetTraining(const std::string& then) const {
    WriteProgram(root_ / "build/release/bin/downpour-train", "echo train \"$@\" >>calls\n" + then);
  }
  Outcome Start(const std::string& arguments = "") const {
    fs::remove(root_ / "calls");
    return StartIn(root_, arguments);
  }
  Outcome StartIn(const fs::path& folder, const std::string& arguments) const {
    return Shell(absl::StrCat("cd '", folder.string(), "' && PATH=", root_.string(), "/path:$PATH ",
                              root_.string(), "/deploy/", script_, " ", arguments));
  }
  std::string calls() const { return FileText(root_ / "calls"); }

  const fs::path root_;
  const std::string script_;
};

class FullScale : public CopiedScript {
 protected:
  FullScale() : CopiedScript("full_scale") {}
};

TEST_F(FullScale, MakesACorpusTrainsAndDraws) {
  const Outcome outcome = Start("--hours 11 --budget.updates=5");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(calls(),
              HasSubstr("corpus --out=corpus/full_scale --hours=11\n"
                        "train deploy/full_scale.textproto --run_dir=runs/full_scale --budget.updates=5\n"
                        "report --out=runs/full_scale/report.html runs/full_scale\n"));
}

TEST_F(FullScale, EndsAsItsTrainingDoes) {
  SetTraining("exit 130\n");
  EXPECT_EQ(Start().code, 130);
  EXPECT_THAT(calls(), Not(HasSubstr("report")));
}

class Quickstart : public CopiedScript {
 protected:
  Quickstart() : CopiedScript("quickstart") {}
};

TEST_F(Quickstart, MakesACorpusTrainsTwiceAndDraws) {
  const Outcome outcome = Start();
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("[1/5]"), HasSubstr("[5/5]"), HasSubstr("the table")));
  EXPECT_THAT(calls(), HasSubstr("corpus --out=corpus/quickstart"));
  EXPECT_THAT(calls(), HasSubstr("--optimizer.kind=ADADELTA --run_dir=runs/quickstart/adadelta"));
  EXPECT_THAT(calls(), HasSubstr("--optimizer.kind=ADAGRAD --run_dir=runs/quickstart/adagrad"));
  EXPECT_THAT(calls(), HasSubstr("report runs/quickstart/adadelta runs/quickstart/adagrad"));
  EXPECT_THAT(calls(), HasSubstr("--restart"));
}

TEST_F(Quickstart, StopsAllTrainingsAtCtrlCAndGoesOnThenTrainsAnew) {
  // Each training notes that it was told to stop. Once both run, the second acts for the user and interrupts
  // the script, which is its parent.
  SetTraining(absl::StrCat(kUntilInterrupted, R"(
touch running$BASHPID
[[ $* != *ADAGRAD* ]] || {
  until (($(ls running* | wc -l) == 2)); do sleep 0.02; done
  kill -INT $PPID
}
wait
)"));
  Outcome outcome = Start();
  EXPECT_EQ(outcome.code, 130) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("goes on from here"));
  EXPECT_THAT(calls(),
              AllOf(HasSubstr("stopped\nstopped\n"), HasSubstr("--restart"), Not(HasSubstr("report"))));

  SetTraining("");
  outcome = Start();
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("going on"));
  EXPECT_THAT(calls(), AllOf(HasSubstr("ADADELTA"), HasSubstr("ADAGRAD"), Not(HasSubstr("--restart"))));

  EXPECT_EQ(Start().code, 0);
  EXPECT_THAT(calls(), HasSubstr("--restart"));
}

TEST_F(Quickstart, FailsAsItsTrainingFailed) {
  SetTraining("[[ $* != *ADADELTA* ]] || { echo 'out of luck'; exit 3; }\n");
  const Outcome outcome = Start();
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.output, HasSubstr("out of luck"));
  EXPECT_THAT(calls(), Not(HasSubstr("report")));

  SetTraining("");
  EXPECT_EQ(Start("--restart").code, 0);
  EXPECT_THAT(calls(), HasSubstr("--restart")) << "not the failed runs' continuation";
}

TEST_F(Quickstart, ShowsWhyTheBuildFailed) {
  WriteProgram(root_ / "path/cmake", "echo 'no compiler'; exit 1\n");
  const Outcome outcome = Start();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("no compiler"));
  EXPECT_EQ(calls(), "");
}

class Local : public CopiedScript {
 protected:
  Local() : CopiedScript("local") {}
};

TEST_F(Local, FindsItsProgramsThroughALinkWithCdpath) {
  WriteProgram(root_ / "build/release/bin/downpour-coordinator", "exit 7\n");
  fs::create_symlink(root_ / "deploy/local", root_ / "link");
  const Outcome outcome =
      Shell(absl::StrCat("cd ", root_.string(), " && CDPATH=.:/ ./link a.textproto --run_dir=run"));
  EXPECT_EQ(outcome.code, 7) << outcome.output;
}

// With the real downpour-sweep, on a corpus that is there.
class Sweep : public CopiedScript {
 protected:
  Sweep() : CopiedScript("sweep") {
    for (const char* file :
         {"sweep.textproto", "noise.textproto", "asynchrony.textproto", "quickstart.textproto"})
      fs::copy_file(fs::path(DOWNPOUR_SOURCE_DIR) / "deploy" / file, root_ / "deploy" / file);
    fs::copy_file(fs::path(DOWNPOUR_PROGRAM_DIR) / "downpour-sweep",
                  root_ / "build/release/bin/downpour-sweep");
    fs::create_directories(root_ / "corpus/quickstart/train");
    const std::ofstream made(root_ / "corpus/quickstart/train/feats.scp");
    SetTraining("");
  }
  // A run folder exists as soon as its program has begun.
  void SetTraining(const std::string& then) const {
    CopiedScript::SetTraining(absl::StrCat(R"(
for a; do
  [[ $a != --run_dir=* ]] || { mkdir -p "${a#*=}"; echo updates >"${a#*=}/frame_accuracy.csv"; }
done
)",
                                           then));
  }
  size_t Trainings() const {
    const std::vector<std::string> lines = absl::StrSplit(calls(), '\n');
    return std::count_if(lines.begin(), lines.end(),
                         [](const std::string& line) { return absl::StartsWith(line, "train "); });
  }
};

TEST_F(Sweep, TrainsEachCellOfTheGridAndDrawsAll) {
  const Outcome outcome = Start(
      "deploy/noise.textproto --out=o --only=replicas=1,20,optimizer=ADADELTA:1e-8,SGD:0.5,noise=none,scale "
      "--budget.epochs=3");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("8 of 8"), HasSubstr("o/report.html")));
  EXPECT_TRUE(fs::exists(root_ / "o/report.html"));
  EXPECT_EQ(Trainings(), 8u);
  EXPECT_THAT(calls(),
              AllOf(HasSubstr("train deploy/quickstart.textproto --run_dir=o/none-1-ADADELTA_1e-8-seed1 "),
                    HasSubstr("--optimizer=ADADELTA:1e-8 "),
                    HasSubstr("--optimizer.staleness_exponent=0 --seed=1 --noise.adversary_share=0.1 "
                              "--noise.adversary_scale=10 --cluster.replicas=20 --optimizer=SGD:0.5 "
                              "--budget.epochs=3 --name=scale-20-SGD_0.5-seed1\n")));
}

TEST_F(Sweep, MakesTheCorpusThatTheGridNames) {
  EXPECT_EQ(Start("deploy/asynchrony.textproto --only=kit=kit,optimizer=SGD,replicas=1 --seeds=1").code, 0);
  EXPECT_THAT(calls(), HasSubstr("corpus --out=corpus/full_scale --hours=10\n"));
}

TEST_F(Sweep, MakesNoRunTwiceUnlessItsSettingsChange) {
  fs::remove(root_ / "corpus/quickstart/train/feats.scp");
  EXPECT_EQ(Start("--only=replicas=1,2,optimizer=SGD").code, 0);
  EXPECT_EQ(Trainings(), 2u);
  EXPECT_THAT(calls(), HasSubstr("corpus --out=corpus/quickstart"));
  EXPECT_EQ(Start("--only=replicas=1,2,3,optimizer=SGD").code, 0);
  EXPECT_EQ(Trainings(), 1u);
  EXPECT_EQ(Start("--only=replicas=1,2,3,optimizer=SGD --seed=7").code, 0);
  EXPECT_EQ(Trainings(), 3u);
  const Outcome other = Start("--only=replicas=1,2,3,optimizer=SGD --cluster.minibatch=50");
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.output,
              AllOf(HasSubstr("runs/sweep/1-SGD-seed1"), HasSubstr("minibatch"), HasSubstr("--restart")));
  EXPECT_EQ(Trainings(), 0u);
  EXPECT_EQ(Start("--only=replicas=1,2,3,optimizer=SGD --cluster.minibatch=50 --restart").code, 0);
  EXPECT_EQ(Trainings(), 3u);
}

TEST_F(Sweep, StopsAtCtrlCAndGoesOn) {
  SetTraining(absl::StrCat("[[ $* != *replicas=1\\ * ]] || exit 0\n", kUntilInterrupted,
                           "[[ $* != *replicas=2* ]] || kill -INT $PPID\nwait\n"));
  Outcome outcome = Start("--jobs=1 --only=replicas=1,2,3,optimizer=SGD");
  EXPECT_EQ(outcome.code, 130) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("goes on from here"));
  EXPECT_THAT(calls(), HasSubstr("stopped"));
  EXPECT_FALSE(fs::exists(root_ / "runs/sweep/report.html"));
  SetTraining("");
  outcome = Start("--jobs=1 --only=replicas=1,2,3,optimizer=SGD");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(Trainings(), 2u);
}

TEST_F(Sweep, FailsAsARunFailsAndSaysWhich) {
  SetTraining("[[ $* != *replicas=2* ]] || { echo 'out of luck'; exit 3; }\n");
  const Outcome outcome = Start("--jobs=1 --only=replicas=1,2,3,optimizer=SGD");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("out of luck"), HasSubstr("2-SGD-seed1 failed"),
                                    HasSubstr("exit code 3"), HasSubstr("runs/sweep/2-SGD-seed1.log")));
  EXPECT_THAT(calls(), Not(HasSubstr("replicas=3")));
  EXPECT_FALSE(fs::exists(root_ / "runs/sweep/report.html"));
}

TEST_F(Sweep, TakesRelativePathsFromWhereItIsCalledAndBlanksInNames) {
  const fs::path mine = root_ / "my own";
  fs::create_directories(mine);
  std::ofstream(mine / "my run.textproto") << "data { test_dir: 't' } budget { epochs: 4 }";
  std::ofstream(mine / "my grid.textproto") << R"(
base: "my run.textproto"
dimension { name: "the data" value { name: "two words" set: "data.train_dir=my data/train" } })";
  SetTraining("[[ -f $1 ]] && printf '<%s>' \"$@\" >>calls");
  const Outcome outcome = StartIn(mine, "'my grid.textproto' --out='an o' --data.test_dir=my\\ test");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_TRUE(fs::exists(mine / "an o/report.html"));
  EXPECT_THAT(FileText(mine / "calls"),
              HasSubstr("<my run.textproto><--run_dir=an o/two_words-seed1><--threads=1><--seed=1>"
                        "<--data.train_dir=my data/train><--data.test_dir=my test>"
                        "<--name=two_words-seed1>"));
  EXPECT_FALSE(fs::exists(root_ / "an o"));
  EXPECT_FALSE(fs::exists(root_ / "calls")) << "no corpus is made for a grid that names its own data";

  // The checkout's grids name the checkout's data; the folder of runs is relative to the call all the same.
  EXPECT_EQ(StartIn(mine, "--only=replicas=1,optimizer=SGD --out=o").code, 0);
  EXPECT_TRUE(fs::is_directory(mine / "o/1-SGD-seed1"));
  EXPECT_EQ(Trainings(), 1u);
}

TEST_F(Sweep, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(Start("deploy/noise.textproto --only=noise=thunder").output,
              HasSubstr("dimension 'noise' has no value 'thunder'"));
  EXPECT_THAT(Start("--only=replicas=1,x").output,
              AllOf(HasSubstr("dimension 'replicas', value 'x'"), HasSubstr("--cluster.replicas")));
  EXPECT_THAT(Start("--on=swarm").output, HasSubstr("--on is 'swarm'"));
  EXPECT_EQ(Start("--jobs=-1").code, 2);
  EXPECT_EQ(calls(), "");
}

}  // namespace
}  // namespace downpour
