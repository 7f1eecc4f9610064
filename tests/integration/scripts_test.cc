// Where on the data's way: beside it; the scripts of deploy/: what they say to wrong arguments, and that the
// quickstart trains, stops at Ctrl-C and goes on, with programs that only pretend to work.
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
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
                                           "deploy/packages", "deploy/local", ".ci/run"));

// A copy of the quickstart in a folder of its own. Its programs write their arguments to the file `calls`.
class Quickstart : public ::testing::Test {
 protected:
  Quickstart() {
    fs::remove_all(root_);
    fs::create_directories(root_ / "deploy");
    fs::copy_file(fs::path(DOWNPOUR_SOURCE_DIR) / "deploy/quickstart", root_ / "deploy/quickstart");
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
    return Shell(absl::StrCat("PATH=", root_.string(), "/path:$PATH ", root_.string(), "/deploy/quickstart ",
                              arguments));
  }
  std::string calls() const { return ReadText(root_ / "calls"); }

  const fs::path root_ = fs::path(::testing::TempDir()) / "quickstart_test";
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
  // Each training notes that it was told to stop; the second, once both run, stands for the user and stops
  // the script, which is its parent.
  SetTraining(R"(trap 'echo stopped >>calls; exit 130' INT
touch running$BASHPID
while (($(ls running* | wc -l) < 2)); do sleep 0.02; done
[[ $* != *ADAGRAD* ]] || kill -INT $PPID
while true; do sleep 0.02; done
)");
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

}  // namespace
}  // namespace downpour
