// Where on the data's way: common/program, in a client; when a person hears that a peer does not answer.
#include "common/program/reachability.h"

#include <memory>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

class ReachabilityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spdlog::default_logger()->sinks().push_back(std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
  }
  void TearDown() override { spdlog::default_logger()->sinks().pop_back(); }

  // What is logged when an attempt that fails is made after `pause`.
  std::string TryAfter(absl::Duration pause) {
    clock_.Advance(pause);
    log_.str("");
    peer_.Trying();
    peer_.Failed(absl::UnavailableError("connection refused"));
    return log_.str();
  }

  std::ostringstream log_;
  FakeClock clock_;
  Reachability peer_{"the coordinator at a:1", &clock_};
};

TEST_F(ReachabilityTest, WarnsAtTheSecondAttemptAndThenLessAndLessOften) {
  EXPECT_EQ(TryAfter(absl::ZeroDuration()), "");
  EXPECT_THAT(TryAfter(absl::Seconds(1)),
              HasSubstr("the coordinator at a:1 cannot be reached, trying on: connection refused"));
  EXPECT_EQ(TryAfter(absl::Seconds(1)), "");
  EXPECT_NE(TryAfter(absl::Seconds(1)), "");  // 2 s after the warning before
  EXPECT_EQ(TryAfter(absl::Seconds(3)), "");
  EXPECT_NE(TryAfter(absl::Seconds(1)), "");  // 4 s
  for (int i = 0; i < 10; ++i) TryAfter(absl::Minutes(1));
  EXPECT_EQ(TryAfter(absl::Seconds(59)), "");
  EXPECT_NE(TryAfter(absl::Seconds(1)), "");
}

TEST_F(ReachabilityTest, SaysOnceThatThePeerAnswersAndBeginsAnew) {
  TryAfter(absl::ZeroDuration());
  TryAfter(absl::Seconds(1));
  log_.str("");
  peer_.Answered();
  EXPECT_THAT(log_.str(), HasSubstr("the coordinator at a:1 answers"));
  log_.str("");
  peer_.Answered();
  EXPECT_EQ(log_.str(), "");
  EXPECT_EQ(TryAfter(absl::ZeroDuration()), "") << "one failure may be a restart";
  EXPECT_NE(TryAfter(absl::Seconds(1)), "");
}

TEST_F(ReachabilityTest, SaysNothingOfAPeerThatFailedOnce) {
  TryAfter(absl::ZeroDuration());
  log_.str("");
  peer_.Answered();
  peer_.Trying();
  EXPECT_EQ(log_.str(), "");
}

}  // namespace
}  // namespace downpour
