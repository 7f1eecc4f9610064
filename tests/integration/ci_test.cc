// Where on the data's way: guards .ci/run: its table of what ran, and what it takes for a failure.
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// A copy of .ci/run beside scripts that do what a test says.
class CiRun : public ::testing::Test {
 protected:
  CiRun() {
    fs::remove_all(root_);
    Script(".ci/run", "");
    fs::copy_file(fs::path(DOWNPOUR_SOURCE_DIR) / ".ci/run", root_ / ".ci/run",
                  fs::copy_options::overwrite_existing);
    Script("deploy/packages", "");
    Script("deploy/test", "echo '100% tests passed, 0 tests failed out of 7'\n");
    Script("deploy/check", "echo 'clean: 3 files'\n");
    Script("deploy/docker/engine", "");
    Script("path/unshare", "");
    Script("path/sudo", "shift; exec \"$@\"\n");
  }

  void Script(const std::string& name, const std::string& body) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << "#!/bin/bash\n" << body;
    fs::permissions(root_ / name, fs::perms::owner_all);
  }
  // Its exit code; all that it wrote is in output_.
  int Run(const std::string& minutes = "55") {
    fs::remove(root_ / "output");
    ChildProcess run({"/usr/bin/env", absl::StrCat("PATH=", (root_ / "path").string(), ":/usr/bin:/bin"),
                      "CI_BUDGET_MINUTES=" + minutes, (root_ / ".ci/run").string()},
                     root_ / "output");
    const int code = run.Wait();
    output_ = run.Output();
    return code;
  }

  const fs::path root_ = fs::path(::testing::TempDir()) / "ci_test";
  std::string output_;
};

TEST_F(CiRun, SaysInATableWhatRanAndHowItEnded) {
  EXPECT_EQ(Run(), 0) << output_;
  for (const char* leg :
       {"deploy/test ", "deploy/check --all --no-tests", "deploy/test --docker", "deploy/test --slurm",
        "deploy/test --swarm", "deploy/test --asan", "deploy/test --tsan"}) {
    EXPECT_THAT(output_, ContainsRegex(absl::StrCat("\n", leg, " +passed +[0-9]+ s  [0-9a-z]")));
  }
}

TEST_F(CiRun, FailsWhereContainersCanRunAndTheEngineDoesNotStart) {
  Script("deploy/docker/engine", "echo 'dockerd did not start' >&2; exit 1\n");
  EXPECT_EQ(Run(), 1) << output_;
  EXPECT_THAT(output_, ContainsRegex("\ndeploy/test --docker +FAILED .*dockerd did not start"));

  Script("path/unshare", "exit 1\n");
  EXPECT_EQ(Run(), 0) << output_;
  EXPECT_THAT(output_, ContainsRegex("\ndeploy/test --docker +not here .*\ndeploy/test --slurm +not here "
                                     ".*\ndeploy/test --swarm +not here "));
}

TEST_F(CiRun, LeavesOutWhatThereIsNoTimeFor) {
  EXPECT_EQ(Run("5"), 0) << output_;
  EXPECT_THAT(output_, AllOf(ContainsRegex("\ndeploy/test +passed "),
                             ContainsRegex("\ndeploy/check --all --no-tests +left out .*no time left"),
                             ContainsRegex("\ndeploy/test --tsan +left out ")));
}

TEST_F(CiRun, SaysWhatATimeLimitBrokeOffAndHowManyTestsWereSkipped) {
  Script("path/timeout", "shift 3\n[[ $* != *check* ]] || { echo 'checked 7'; exit 124; }\nexec \"$@\"\n");
  Script("deploy/test",
         "echo '1/2 Test #1: a ...***Skipped 0.1 sec'\n"
         "echo '100% tests passed, 0 tests failed out of 2'\n");
  EXPECT_EQ(Run(), 0) << output_;
  EXPECT_THAT(output_, ContainsRegex("\ndeploy/check --all --no-tests +broken off .*its 1320 s were over; it "
                                     "was at: checked 7"));
  EXPECT_THAT(output_, ContainsRegex("\ndeploy/test +passed .*failed out of 2, 1 skipped"));
}

TEST_F(CiRun, EndsWithTheTableAlsoAfterAFailure) {
  Script("deploy/check", "echo 'a.cc: error [-warnings-as-errors]'; exit 1\n");
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(output_, ContainsRegex("\ndeploy/test +passed .*\ndeploy/check --all --no-tests +FAILED "));
  EXPECT_THAT(output_, Not(HasSubstr("--asan")));
}

}  // namespace
}  // namespace downpour
