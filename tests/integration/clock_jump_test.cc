// Where on the data's way: guards a whole run of processes against somebody who sets the system's time.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "tests/testing/processes.h"

namespace downpour {
namespace {

// Every process sees the time of day that JumpTo() sets.
class ClockJump : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    JumpTo(absl::ZeroDuration());
    setenv("DOWNPOUR_WALL_CLOCK_OFFSET", OffsetFile().c_str(), 1);
    setenv("LD_PRELOAD", DOWNPOUR_WALL_CLOCK_JUMP, 1);
    updates_ = 10'000;
    StartAll();
    ASSERT_TRUE(WaitFor([&] { return Status().live_replicas() == 4; }));
  }
  void TearDown() override {
    unsetenv("LD_PRELOAD");
    Processes::TearDown();
  }

  std::string OffsetFile() const { return folder_ + "/wall_clock_offset"; }
  void JumpTo(absl::Duration offset) const {
    const int64_t ns = absl::ToInt64Nanoseconds(offset);
    std::fstream file(OffsetFile(), std::ios::binary | std::ios::in | std::ios::out);
    if (!file) file.open(OffsetFile(), std::ios::binary | std::ios::out);
    file.write(reinterpret_cast<const char*>(&ns), sizeof(ns));
  }
  bool CoordinatorSaid(const char* what) const {
    return absl::StrContains(FileText(run_dir_ + "/log.txt"), what);
  }
  std::string Checkpoint(const char* name) const {
    return FileText(absl::StrCat(run_dir_, "/checkpoints/", name, ".ckpt"));
  }

  void ExpectWallSecondsAscend() {
    double last = 0;
    const std::vector<std::string> lines =
        absl::StrSplit(FileText(run_dir_ + "/frame_accuracy.csv"), '\n', absl::SkipEmpty());
    for (size_t line = 1; line < lines.size(); ++line) {
      double wall_s = -1;
      ASSERT_TRUE(absl::SimpleAtod(lines[line].substr(0, lines[line].find(',')), &wall_s)) << lines[line];
      EXPECT_GE(wall_s, last) << lines[line];
      EXPECT_LT(wall_s, last + 600) << lines[line];
      last = wall_s;
    }
  }
};

TEST_F(ClockJump, ForwardTakesNobodyForDead) {
  JumpTo(absl::Hours(1));
  ExpectFinishedWell();
  EXPECT_FALSE(CoordinatorSaid("taken for dead"));
  ExpectWallSecondsAscend();
}

TEST_F(ClockJump, BackByAnHourStopsNeitherCheckpointsNorTheEndNorTheSearchForTheDead) {
  JumpTo(-absl::Hours(1));
  const std::string coordinator = Checkpoint("coordinator"), shard = Checkpoint("shard-0");
  EXPECT_TRUE(WaitFor([&] { return Checkpoint("shard-0") != shard; }));
  EXPECT_TRUE(WaitFor([&] { return Checkpoint("coordinator") != coordinator; }));
  workers_.back()->KillAndWait();
  workers_.pop_back();
  ExpectFinishedWell();
  EXPECT_TRUE(CoordinatorSaid("taken for dead"));
  ExpectWallSecondsAscend();
}

}  // namespace
}  // namespace downpour
