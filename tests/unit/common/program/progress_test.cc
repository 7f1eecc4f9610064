// Where on the data's way: common/program, while a program runs; how often progress is shown, and how, on a
// terminal and in a log.
#include "common/program/progress.h"

#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProgressTest : public ::testing::Test {
 protected:
  void UpdateAfter(Progress& progress, absl::Duration pause, double fraction, const std::string& detail) {
    clock_.Advance(pause);
    progress.Update(fraction, detail);
  }

  FakeClock clock_{absl::FromUnixSeconds(1000)};
};

TEST_F(ProgressTest, ALogGetsALineEveryTenSeconds) {
  ::testing::internal::CaptureStdout();
  {
    Progress progress("train", &clock_);
    progress.Update(0, "first");
    UpdateAfter(progress, absl::Seconds(9.9), 0.1, "too soon");
    UpdateAfter(progress, absl::Seconds(0.1), 0.25, "second");
    UpdateAfter(progress, absl::Seconds(9), 0.3, "too soon again");
    progress.Finish("done");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "train   0%  first\n"
            "train  25%  second  30s left\n"
            "train done\n");
}

TEST_F(ProgressTest, TimeLeftCountsFromTheFirstFractionSeen) {
  ::testing::internal::CaptureStdout();
  Progress progress("train", &clock_);
  clock_.Advance(absl::Hours(1));  // of loading data, say
  progress.Update(0.5, "resumed");
  UpdateAfter(progress, absl::Seconds(100), 0.6, "going");
  UpdateAfter(progress, absl::Seconds(10), 7, "beyond its end");
  const std::string output = ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(output, HasSubstr(" 50%  resumed\n"));
  EXPECT_THAT(output, HasSubstr(" 60%  going  6m40s left\n"));
  EXPECT_THAT(output, HasSubstr("100%  beyond its end"));
}

TEST_F(ProgressTest, NothingIsSaidOfTheTimeLeftWhereNothingIsDone) {
  ::testing::internal::CaptureStdout();
  Progress progress("train", &clock_);
  progress.Update(0.2, "a");
  UpdateAfter(progress, absl::Seconds(20), 0.2, "b");
  UpdateAfter(progress, absl::Seconds(20), 0.1, "c");
  EXPECT_THAT(::testing::internal::GetCapturedStdout(), Not(HasSubstr("left")));
}

// Standard output on a pseudo-terminal until Output() is called.
class Terminal {
 public:
  Terminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)), saved_(dup(STDOUT_FILENO)) {
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) return;
    slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
    termios settings;
    if (slave_ < 0 || tcgetattr(slave_, &settings) != 0) return;
    cfmakeraw(&settings);  // otherwise \n becomes \r\n
    tcsetattr(slave_, TCSANOW, &settings);
    std::fflush(stdout);
    dup2(slave_, STDOUT_FILENO);
  }
  ~Terminal() {
    dup2(saved_, STDOUT_FILENO);
    for (const int descriptor : {saved_, slave_, master_})
      if (descriptor >= 0) close(descriptor);
  }

  bool is_open() const { return slave_ >= 0; }
  // What has been written to it, which must be something.
  std::string Output() {
    std::fflush(stdout);
    dup2(saved_, STDOUT_FILENO);
    close(std::exchange(slave_,
                        -1));  // so that reading ends with an error once all has come, in however many pieces
    std::string output;
    char piece[4096];
    for (ssize_t got; (got = read(master_, piece, sizeof(piece))) > 0;) output.append(piece, got);
    return output;
  }

 private:
  const int master_;
  const int saved_;
  int slave_ = -1;
};

TEST_F(ProgressTest, ATerminalsLineIsRewrittenFiveTimesASecondAndEnded) {
  Terminal terminal;
  if (!terminal.is_open()) GTEST_SKIP() << "no pseudo-terminal here";
  {
    Progress progress("train", &clock_);
    progress.Update(0, "a");
    UpdateAfter(progress, absl::Milliseconds(199), 0.1, "too soon");
    UpdateAfter(progress, absl::Milliseconds(1), 0.5, "b");
  }
  {
    Progress progress("report", &clock_);
    progress.Update(0, "c");
    progress.Finish("done");
  }
  EXPECT_EQ(terminal.Output(),
            "\rtrain   0%  a\033[K"
            "\rtrain  50%  b\033[K\n"
            "\rreport   0%  c\033[K"
            "\rreport done\033[K\n");
}

}  // namespace
}  // namespace downpour
