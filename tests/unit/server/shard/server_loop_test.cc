// Where on the data's way: beside a shard; what a server asks, and when it ends.
#include "server/shard/server_loop.h"

#include <deque>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

class ServerLoopTest : public ::testing::Test {
 protected:
  ServerLoopTest() {
    options_.get_run_status = [this] {
      absl::StatusOr<RunStatus> status = statuses_.front();
      if (statuses_.size() > 1) statuses_.pop_front();
      return status;
    };
    options_.register_shard = [this](const RegisterShardRequest& request) {
      requests_.push_back(request);
      absl::StatusOr<RegisterShardReply> reply = replies_.front();
      if (replies_.size() > 1) replies_.pop_front();
      return reply;
    };
    options_.request.set_address("a");
    options_.serve = [this](const RegisterShardReply&, const std::shared_ptr<ParameterShard>&)
        -> absl::StatusOr<std::shared_ptr<ParameterShard>> {
      ParameterShard::Options shard;
      shard.range = {0, 4};
      ++served_;
      return *ParameterShard::Create(shard, std::vector<float>(4));
    };
    options_.clock = &clock_;
    options_.give_up_after = absl::Seconds(30);
    reply_.set_shard(3);
    reply_.set_view(7);
    reply_.mutable_run()->set_run_id("run");
    replies_ = {reply_};
    statuses_ = {RunStatus()};
  }
  absl::Status Run() { return RunServer(options_); }
  absl::Duration Passed() { return clock_.Now() - absl::UnixEpoch(); }
  static RunStatus Finished(int live_replicas) {
    RunStatus status;
    status.set_phase(RunStatus::FINISHED);
    status.set_live_replicas(live_replicas);
    return status;
  }

  FakeClock clock_;  // a sleep lets that much time pass
  ServerLoopOptions options_;
  RegisterShardReply reply_;
  std::deque<absl::StatusOr<RunStatus>> statuses_;  // the last is given again and again
  std::deque<absl::StatusOr<RegisterShardReply>> replies_;
  std::vector<RegisterShardRequest> requests_;
  int served_ = 0;
};

const absl::Status kAway = absl::UnavailableError("nobody answers");

TEST_F(ServerLoopTest, ServesUntilNoReplicaNeedsTheShard) {
  statuses_ = {RunStatus(), RunStatus(), Finished(1), Finished(0)};
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(served_, 1);
  ASSERT_EQ(requests_.size(), 3u);
  EXPECT_EQ(requests_[0].view(), 0u);
  EXPECT_EQ(requests_[2].view(), 7u);
  EXPECT_EQ(requests_[2].shard(), 3u);
  EXPECT_EQ(requests_[2].run_id(), "run");
  EXPECT_EQ(requests_[2].address(), "a");
  EXPECT_EQ(Passed(), absl::Seconds(2)) << "it asks once a second";
}

TEST_F(ServerLoopTest, ARunThatIsOverWantsNoServer) {
  statuses_ = {Finished(0)};
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(served_ + static_cast<int>(requests_.size()), 0);
}

TEST_F(ServerLoopTest, WaitsUntilTheRunsDataIsKnown) {
  replies_ = {kAway, kAway, reply_};
  statuses_ = {RunStatus(), kAway, RunStatus(), RunStatus(), RunStatus(), Finished(0)};
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(served_, 1);
}

TEST_F(ServerLoopTest, ACoordinatorThatIsAwayIsGivenUpAfterTheTimeOfTheFlag) {
  statuses_ = {RunStatus(), RunStatus(), kAway};
  EXPECT_EQ(Run(), kAway);
  EXPECT_EQ(served_, 1);
  EXPECT_GT(Passed(), absl::Seconds(30));
  EXPECT_LT(Passed(), absl::Seconds(33));
}

TEST_F(ServerLoopTest, ACoordinatorThatWasNeverThereIsGivenUpToo) {
  statuses_ = {kAway};
  EXPECT_EQ(Run(), kAway);
  EXPECT_GT(Passed(), absl::Seconds(30));
}

TEST_F(ServerLoopTest, TheCoordinatorOfAFinishedRunMayBeGone) {
  statuses_ = {RunStatus(), Finished(1), kAway};
  EXPECT_EQ(Run(), absl::OkStatus());
}

TEST_F(ServerLoopTest, AServerThatAnotherHasReplacedStops) {
  const absl::Status replaced = absl::FailedPreconditionError("another server has the shard");
  replies_ = {reply_, reply_, kAway, replaced};
  EXPECT_EQ(Run(), replaced);
  EXPECT_EQ(requests_.size(), 4u);
}

TEST_F(ServerLoopTest, EndsStalledStreamsTwentyTimesASecond) {
  int calls = 0;
  options_.end_stalled_streams = [&] { ++calls; };
  options_.stopped = [this] { return Passed() >= absl::Seconds(5); };
  EXPECT_TRUE(absl::IsCancelled(Run()));
  EXPECT_EQ(calls, 100);
}

}  // namespace
}  // namespace downpour
