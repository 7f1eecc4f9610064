// Where on the data's way: during the runs of a grid, under test: processes, their number and their failures.
#include "deploy/grid/grid_jobs.h"

#include <algorithm>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class GridJobs : public ::testing::Test {
 protected:
  static GridJob Job(const std::string& name, const std::string& script) {
    return {name, {"bash", "-c", script}, ::testing::TempDir() + name + ".log"};
  }
  absl::Status Run(const std::vector<GridJob>& jobs, int at_once) {
    const GridJobEvents events = {[&](size_t job) {
                                    finished_.push_back(job);
                                    return absl::OkStatus();
                                  },
                                  [&](const std::vector<size_t>& running, const absl::Status&) {
                                    most_running_ = std::max(most_running_, running.size());
                                  }};
    return RunGridJobs(jobs, at_once, events, Clock::Real());
  }
  std::vector<size_t> finished_;
  size_t most_running_ = 0;
};

TEST_F(GridJobs, RunsAllAndNoMoreAtOnceThanAsked) {
  EXPECT_TRUE(Run({Job("a", "echo 1"), Job("b", "echo 2"), Job("c", "echo 3")}, 2).ok());
  EXPECT_THAT(finished_, UnorderedElementsAre(0, 1, 2));
  EXPECT_EQ(most_running_, 2u);
  EXPECT_THAT(LastLines(::testing::TempDir() + "c.log", 1), ElementsAre("3"));
}

TEST_F(GridJobs, AFailureLetsTheOthersEndAndStartsNoMore) {
  // The first ends after the second has failed.
  const std::string mark = ::testing::TempDir() + "grid_jobs_failed";
  const GridJob late = Job("late", "exit 0");
  std::filesystem::remove(mark);
  std::filesystem::remove(late.log);
  const absl::Status status =
      Run({Job("patient", absl::StrCat("until [[ -e ", mark, " ]]; do sleep 0.01; done")),
           Job("unlucky",
               absl::StrCat("printf '10 %%\\r20 %%\\n'; echo out of luck >&2; touch ", mark, "; exit 3")),
           late},
          2);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("unlucky failed with exit code 3; its log"),
                                      HasSubstr("unlucky.log ends with\n10 %\n20 %\nout of luck")));
  EXPECT_FALSE(std::filesystem::exists(late.log));
  EXPECT_THAT(finished_, ElementsAre(0));
}

TEST_F(GridJobs, TellsWrongUseFromOtherFailures) {
  EXPECT_EQ(Run({Job("misused", "exit 2")}, 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Run({Job("killed", "kill -9 $$")}, 1).message(), HasSubstr("killed failed with signal 9"));
  EXPECT_THAT(Run({{"absent", {"/no/such/program"}, ::testing::TempDir() + "absent.log"}}, 1).message(),
              HasSubstr("/no/such/program"));
}

}  // namespace
}  // namespace downpour
