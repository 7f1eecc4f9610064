// Where on the data's way: beside a shard; what a server asks, and when it ends.
#include "server/shard/server_loop.h"

#include <deque>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

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
    options_.serve =
        [this](const RegisterShardReply&,
               std::shared_ptr<ParameterShard> followed) -> absl::StatusOr<std::shared_ptr<ParameterShard>> {
      ++served_;
      return shard_ = followed != nullptr ? std::move(followed) : NewShard();
    };
    options_.clock = &clock_;
    options_.give_up_after = absl::Seconds(30);
    reply_.set_shard(3);
    reply_.set_view(7);
    reply_.mutable_run()->set_run_id("run");
    replies_ = {reply_};
    statuses_ = {RunStatus()};
  }
  static std::shared_ptr<ParameterShard> NewShard() {
    ParameterShard::Options shard;
    shard.range = {0, 4};
    return *ParameterShard::Create(shard, std::vector<float>(4));
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
  std::shared_ptr<ParameterShard> shard_;
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

// Follows when it is told to, until a test ends its stream.
class FakeFollower final : public ShardFollower {
 public:
  void Follow(const RegisterShardReply& registered, uint64_t server) override {
    primaries.push_back(registered.primary());
    numbers.push_back(server);
    stands = true;
  }
  bool follows() const override { return stands; }
  bool has_shard() const override { return shard != nullptr; }
  std::shared_ptr<ParameterShard> TakeShard() override {
    stands = false;
    return std::move(shard);
  }

  std::vector<std::string> primaries;
  std::vector<uint64_t> numbers;
  bool stands = false;
  std::shared_ptr<ParameterShard> shard;
};

class StandbyLoopTest : public ServerLoopTest {
 protected:
  StandbyLoopTest() {
    options_.follower = &follower_;
    options_.new_number = [this] { return ++number_; };
    options_.stop_serving = [this] { ++stopped_serving_; };
    reply_.mutable_description()->mutable_cluster()->set_standbys(1);
    statuses_ = {RunStatus(), RunStatus(), RunStatus(), RunStatus(), RunStatus(), RunStatus(), Finished(0)};
  }
  RegisterShardReply As(RegisterShardReply::Role role, uint64_t view = 7) const {
    RegisterShardReply reply = reply_;
    reply.set_role(role);
    reply.set_view(view);
    reply.set_primary("primary");
    return reply;
  }

  FakeFollower follower_;
  uint64_t number_ = 100;
  int stopped_serving_ = 0;
};

TEST_F(StandbyLoopTest, FollowsAndTakesThePrimarysPlaceWithWhatItFollowed) {
  const std::shared_ptr<ParameterShard> followed = follower_.shard = NewShard();
  replies_ = {As(RegisterShardReply::FOLLOWER), As(RegisterShardReply::STANDBY, 8),
              As(RegisterShardReply::PRIMARY, 9)};
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_THAT(follower_.primaries, ElementsAre("primary"));
  EXPECT_THAT(follower_.numbers, ElementsAre(101));
  EXPECT_EQ(shard_, followed);
  EXPECT_TRUE(requests_[1].follows());
  EXPECT_EQ(requests_[2].view(), 8);
  EXPECT_FALSE(requests_.back().follows());
  EXPECT_EQ(requests_.back().view(), 9);
  EXPECT_EQ(requests_.back().server(), 101);
}

TEST_F(StandbyLoopTest, WithoutItsStreamAFollowerBeginsAnewAndAStandbyKeepsItsState) {
  replies_ = {As(RegisterShardReply::FOLLOWER), As(RegisterShardReply::STANDBY),
              As(RegisterShardReply::FOLLOWER)};
  options_.stopped = [this] {
    if (requests_.size() == 1 && follower_.stands) {
      follower_.shard = NewShard();
      follower_.stands = false;
    }
    return false;
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(requests_[1].server(), 102);
  EXPECT_EQ(requests_[1].gives_up(), 101);
  EXPECT_EQ(requests_[2].server(), 103) << "the coordinator has not let it";
  EXPECT_EQ(requests_[2].gives_up(), 101);
  EXPECT_THAT(follower_.numbers, ElementsAre(101, 103));
  EXPECT_EQ(requests_.back().server(), 103);
  EXPECT_EQ(requests_.back().gives_up(), 0);
}

TEST_F(StandbyLoopTest, APrimaryTellsWhoIsReadyOrLostAndGoesOnAloneOnlyWhenItIsTold) {
  RegisterShardReply expected = As(RegisterShardReply::PRIMARY), joined = As(RegisterShardReply::PRIMARY, 8);
  expected.set_follower(5);
  joined.set_standby(5);
  replies_ = {expected, expected, joined, kAway, As(RegisterShardReply::PRIMARY, 9)};
  absl::Status while_lost;
  options_.stopped = [&] {
    if (shard_ == nullptr) return false;
    ReplicationLog& log = shard_->log();
    if (requests_.size() == 2 && log.Attach(5).ok()) log.Applied(5, 0);
    if (requests_.size() == 3) log.Detach(5);
    if (requests_.size() == 4) while_lost = log.AwaitSafe();
    return false;
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(requests_[2].ready(), 5);
  EXPECT_EQ(requests_[3].lost(), 5);
  EXPECT_EQ(requests_[3].view(), 8);
  EXPECT_EQ(requests_[4].lost(), 5) << "again, as nobody answered";
  EXPECT_TRUE(absl::IsUnavailable(while_lost));
  EXPECT_EQ(shard_->log().AwaitSafe(), absl::OkStatus());
  RunKey run = shard_->run();
  run.view = 8;
  shard_->set_view(7);
  shard_->extend_view(9);
  EXPECT_EQ(shard_->CheckRun(run), absl::OkStatus());
}

TEST_F(StandbyLoopTest, APrimaryThatHasBeenReplacedFollowsTheOther) {
  replies_ = {As(RegisterShardReply::PRIMARY), absl::FailedPreconditionError("must stop"),
              As(RegisterShardReply::FOLLOWER)};
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(stopped_serving_, 1);
  EXPECT_TRUE(absl::IsUnavailable(shard_->log().AwaitSafe())) << "it acknowledges nothing any more";
  EXPECT_THAT(follower_.numbers, ElementsAre(102));
  EXPECT_EQ(requests_[2].view(), 0);
  EXPECT_TRUE(requests_[2].follows());
}

}  // namespace
}  // namespace downpour
