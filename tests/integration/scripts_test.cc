// Where on the data's way: before it; tests of the scripts in deploy/ and .ci/: what they say to wrong
// arguments, that they find the checkout however they are called, and that they train, stop at Ctrl-C and go
// on. Their programs only write down how they were called.
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ReadText(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

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
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadText(output)};
}

// A training that ends at Ctrl-C only. It waits with `wait`, which a trap interrupts always: a bash that
// forks in a loop now and then loses a SIGINT which comes as its foreground child ends.
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
                                           "deploy/full_scale", ".ci/run"));

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
                                           "deploy/sweep", "deploy/full_scale", ".ci/run",
                                           "deploy/docker/engine", "deploy/docker/faults",
                                           "deploy/docker/image"));

// Every script in the tree, by its path in it.
std::vector<std::string> AllScripts() {
  std::vector<std::string> scripts;
  for (const char* top : {"deploy", ".ci"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(DOWNPOUR_SOURCE_DIR) / top)) {
      if (entry.is_regular_file() && absl::StartsWith(ReadText(entry.path()), "#!/bin/bash\n")) {
        scripts.push_back(fs::relative(entry.path(), DOWNPOUR_SOURCE_DIR).string());
      }
    }
  }
  return scripts;
}

TEST(Scripts, ResolveLinksBeforeTheyLookForTheCheckout) {
  EXPECT_THAT(AllScripts(), AllOf(Contains("deploy/docker/engine"), Contains(".ci/run")));
  for (const std::string& script : AllScripts()) {
    for (absl::string_view line : absl::StrSplit(ReadText(fs::path(DOWNPOUR_SOURCE_DIR) / script), '\n')) {
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
    const std::string text = ReadText(fs::path(DOWNPOUR_SOURCE_DIR) / script);
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
    return Shell(absl::StrCat("cd ", folder.string(), " && PATH=", root_.string(), "/path:$PATH ",
                              root_.string(), "/deploy/", script_, " ", arguments));
  }
  std::string calls() const { return ReadText(root_ / "calls"); }

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

class Sweep : public CopiedScript {
 protected:
  // A run folder exists as soon as its program has begun.
  Sweep() : CopiedScript("sweep") { SetTraining(""); }
  void SetTraining(const std::string& then) const {
    CopiedScript::SetTraining("for a; do [[ $a != --run_dir=* ]] || mkdir -p \"${a#*=}\"; done\n" + then);
  }
  size_t Trainings() const {
    const std::vector<std::string> lines = absl::StrSplit(calls(), '\n');
    return std::count_if(lines.begin(), lines.end(),
                         [](const std::string& line) { return absl::StartsWith(line, "train "); });
  }
};

TEST_F(Sweep, TrainsEachCellOfTheGridAndDrawsAll) {
  const Outcome outcome = Start(
      "--out o --replicas 1,20 --optimizers ADADELTA:1e-8,SGD:0.5 --noise none,drop:0.1+scale run.textproto "
      "--budget.epochs=3");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("8 of 8"), HasSubstr("the table")));
  EXPECT_EQ(Trainings(), 8u);
  EXPECT_THAT(
      calls(),
      AllOf(HasSubstr("train run.textproto --run_dir=o/ADADELTA_1e-8-1-none "),
            HasSubstr("--optimizer=ADADELTA:1e-8 "),
            HasSubstr("--cluster.replicas=20 --budget.epochs=1 --checkpoint.every_s=120 "
                      "--optimizer=SGD:0.5 --noise.push_drop_share=0.1 "
                      "--noise.adversary_share=0.1 --noise.adversary_scale=10 --budget.epochs=3"),
            HasSubstr("report --sweep --out=o/report.html o/ADADELTA_1e-8-1-none o/SGD_0.5-1-none ")));
  EXPECT_THAT(calls(), Not(HasSubstr("corpus"))) << "the run description names its own data";
}

TEST_F(Sweep, MakesNoRunTwiceUnlessItsSettingsChange) {
  EXPECT_EQ(Start("--replicas 1,2 --optimizers SGD").code, 0);
  EXPECT_EQ(Trainings(), 2u);
  EXPECT_THAT(calls(), HasSubstr("corpus --out=corpus/quickstart"));
  EXPECT_EQ(Start("--replicas 1,2,3 --optimizers SGD").code, 0);
  EXPECT_EQ(Trainings(), 1u);
  EXPECT_EQ(Start("--replicas 1,2,3 --optimizers SGD --seed=7").code, 0);
  EXPECT_EQ(Trainings(), 3u);
}

TEST_F(Sweep, StopsAtCtrlCAndGoesOn) {
  SetTraining(absl::StrCat("[[ $* != *replicas=1\\ * ]] || exit 0\n", kUntilInterrupted,
                           "[[ $* != *replicas=2* ]] || kill -INT $PPID\nwait\n"));
  Outcome outcome = Start("--jobs 1 --replicas 1,2,3 --optimizers SGD");
  EXPECT_EQ(outcome.code, 130) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("goes on from here"));
  EXPECT_THAT(calls(), AllOf(HasSubstr("stopped"), Not(HasSubstr("report"))));
  SetTraining("");
  outcome = Start("--jobs 1 --replicas 1,2,3 --optimizers SGD");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(Trainings(), 2u);
}

TEST_F(Sweep, FailsAsARunFailsAndSaysWhich) {
  SetTraining("[[ $* != *replicas=2* ]] || { echo 'out of luck'; exit 3; }\n");
  const Outcome outcome = Start("--jobs 1 --replicas 1,2,3 --optimizers SGD");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("out of luck"), HasSubstr("SGD-2-none failed")));
  EXPECT_THAT(calls(), Not(AnyOf(HasSubstr("report"), HasSubstr("replicas=3"))));
}

TEST_F(Sweep, TakesRelativePathsFromWhereItIsCalled) {
  const fs::path mine = root_ / "mine";
  fs::create_directories(mine);
  const Outcome outcome = StartIn(mine, "--replicas 1 --optimizers SGD --out o my.textproto");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_TRUE(fs::is_directory(mine / "o/SGD-1-none"));
  EXPECT_FALSE(fs::exists(root_ / "o"));
  // Paths inside a run description are relative to where its program is started.
  EXPECT_THAT(ReadText(mine / "calls"), HasSubstr("train my.textproto "));
}

TEST_F(Sweep, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(Start("--noise thunder").output, HasSubstr("no kind of noise 'thunder'"));
  EXPECT_THAT(Start("--replicas 1,x").output, HasSubstr("'x' is no number of replicas"));
  EXPECT_THAT(Start("--on swarm").output, HasSubstr("--on is 'swarm'"));
  EXPECT_EQ(Start("--jobs 0").code, 2);
  EXPECT_EQ(calls(), "");
}

}  // namespace
}  // namespace downpour
