// Where on the data's way: one replica in real time; what it does when coordinator and shards fail it.
#include "worker/replica/replica_loop.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/wait_for.h"
#include "tests/unit/worker/fake_cluster.h"

namespace downpour {
namespace {

class ReplicaLoopTest : public ::testing::Test {
 protected:
  absl::Status Run() {
    ReplicaLoopOptions options;
    options.coordinator = &cluster_;
    options.connect_shard = cluster_.Connector();
    options.data = cluster_.data->train;
    options.data_summary = cluster_.data->summary;
    options.parallel_shards = parallel_shards_;
    options.clock = parallel_shards_ ? Clock::Real() : &clock_;
    options.give_up_after = absl::Seconds(20);
    options.stopped = [this] { return stopped_; };
    return RunReplica(options);
  }
  absl::Duration TimePassed() { return clock_.Now() - absl::UnixEpoch(); }

  FakeCluster cluster_;
  FakeClock clock_;
  bool parallel_shards_ = false;  // by the real clock
  bool stopped_ = false;
};

TEST_F(ReplicaLoopTest, TrainsUntilTheCoordinatorSaysStopAndLeaves) {
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.trace, "FPFPFPFPFP");
  EXPECT_EQ(cluster_.leaves, 1);
  ASSERT_EQ(cluster_.joins.size(), 1);
  EXPECT_EQ(cluster_.pushes.back().replica_id, 101);
}

// Only gradients in bfloat16 can be packed.
TEST_F(ReplicaLoopTest, PushesInBfloat16WhatIsCompressedWhateverTheWire) {
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_FALSE(cluster_.pushed_in_bfloat16);
  for (const auto compression :
       {ClusterDescription::EIGHT_BIT, ClusterDescription::ONE_BIT, ClusterDescription::TOP_K}) {
    cluster_.description.mutable_cluster()->set_gradient_compression(compression);
    EXPECT_EQ(Run(), absl::OkStatus());
    EXPECT_TRUE(cluster_.pushed_in_bfloat16) << ClusterDescription::GradientCompression_Name(compression);
  }
}

TEST_F(ReplicaLoopTest, RepeatsAPushWhoseReplyWasLostUnderTheSameSequence) {
  cluster_.on_push = [&, lost = false]() mutable {
    return std::exchange(lost, true) ? absl::OkStatus() : absl::UnavailableError("the reply is lost");
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  ASSERT_EQ(cluster_.pushes.size(), 6);
  EXPECT_EQ(cluster_.pushes[0].sequence, 1);
  EXPECT_EQ(cluster_.pushes[1].sequence, 1);
  EXPECT_EQ(cluster_.pushes[2].sequence, 2);
  EXPECT_EQ(cluster_.reports.back().pushes_applied(), 5);
}

TEST_F(ReplicaLoopTest, FollowsShardsThatHaveSwappedAddresses) {
  cluster_.on_push = [&] {
    cluster_.really_at = {{"s0", 1}, {"s1", 0}};
    cluster_.known_at = {"s1", "s0"};
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.reports.back().pushes_applied(), 5);
}

TEST_F(ReplicaLoopTest, WaitsForAShardWhoseAddressAnotherHasTaken) {
  cluster_.on_push = [&, moved = false]() mutable {
    if (std::exchange(moved, true)) return absl::OkStatus();
    cluster_.really_at = {{"s0", 1}};
    cluster_.known_at = {"s0", "s0"};  // shard 0 is still down, under its old address
    return absl::OkStatus();
  };
  cluster_.on_lookup = [&] {
    if (cluster_.lookups < 3) return;
    cluster_.really_at["elsewhere"] = 0;
    cluster_.known_at[0] = "elsewhere";
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.reports.back().pushes_applied(), 5);
}

TEST_F(ReplicaLoopTest, AShardThatHasNotMovedAndAnswersAsAnotherIsAnError) {
  cluster_.on_push = [&] {
    cluster_.really_at["s0"] = 1;
    return absl::OkStatus();
  };
  EXPECT_EQ(Run().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(cluster_.leaves, 1);
}

TEST_F(ReplicaLoopTest, OnceForgottenItJoinsAgainAsAnotherReplicaAfterAWhile) {
  cluster_.on_report = [&] {
    return cluster_.reports.size() == 3 ? absl::NotFoundError("taken for dead") : absl::OkStatus();
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  ASSERT_EQ(cluster_.joins.size(), 2);
  EXPECT_GE(TimePassed(), absl::Milliseconds(100));
  EXPECT_EQ(cluster_.pushes.back().replica_id, 102);
  EXPECT_EQ(cluster_.pushes.back().sequence, 5) << "it has begun anew";
}

TEST_F(ReplicaLoopTest, ARejectedPushIsCountedAndTrainingGoesOn) {
  cluster_.on_push = [&] {
    return cluster_.pushes.size() == 2 ? absl::InvalidArgumentError("not finite") : absl::OkStatus();
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.reports.back().pushes_applied(), 5);
  EXPECT_EQ(cluster_.reports.back().pushes_rejected(), 1);
  EXPECT_EQ(cluster_.pushes[2].sequence, 3);
}

TEST_F(ReplicaLoopTest, ADroppedMinibatchKeepsNoPushThatIsDueFromBeingMade) {
  cluster_.description.mutable_cluster()->set_n_push(2);
  cluster_.bad_fetch = 3;  // the second of the two minibatches of the second push
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.trace, "FPFFPFFPFFPFFP");
}

TEST_F(ReplicaLoopTest, StoppedWhileAShardIsAwayItLeavesAndAllIsWell) {
  cluster_.on_push = [&] {
    cluster_.really_at.erase("s0");
    return absl::OkStatus();
  };
  cluster_.on_lookup = [&] { stopped_ = cluster_.lookups == 3; };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.leaves, 1);
}

TEST_F(ReplicaLoopTest, StoppedInACallToTheCoordinatorAllIsWell) {
  cluster_.on_report = [&] {
    stopped_ = cluster_.reports.size() == 2;
    return stopped_ ? absl::CancelledError("stopped") : absl::OkStatus();
  };
  EXPECT_EQ(Run(), absl::OkStatus());
}

TEST_F(ReplicaLoopTest, EndsWellWhereTheShardsHaveGoneBecauseTheRunIsOver) {
  cluster_.on_push = [&] {
    cluster_.really_at.clear();
    cluster_.finished = true;
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_LT(TimePassed(), absl::Seconds(1));
}

TEST_F(ReplicaLoopTest, TellsTheCoordinatorThatItLivesWhileAShardIsAwayForLong) {
  cluster_.description.mutable_cluster()->set_replica_timeout_s(4);
  cluster_.on_push = [&, first = true]() mutable {
    if (std::exchange(first, false)) cluster_.really_at.erase("s0");
    return absl::OkStatus();
  };
  cluster_.on_lookup = [&] {
    if (TimePassed() > absl::Seconds(12)) cluster_.really_at["s0"] = 0;
  };
  absl::Duration last, longest_silence;
  cluster_.on_report = [&] {
    longest_silence = std::max(longest_silence, TimePassed() - last);
    last = TimePassed();
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_GT(TimePassed(), absl::Seconds(12));
  EXPECT_LT(longest_silence, absl::Seconds(4));
  EXPECT_EQ(cluster_.reports.back().pushes_applied(), 5);
}

TEST_F(ReplicaLoopTest, TellsTheCoordinatorThatItLivesWhileACallHangs) {
  cluster_.description.mutable_cluster()->set_replica_timeout_s(0.02);
  parallel_shards_ = true;
  std::atomic<int> signs = 0;
  cluster_.on_report = [&] {
    if (cluster_.reports.back().still_busy()) ++signs;
    return absl::OkStatus();
  };
  cluster_.on_push = [&] {
    EXPECT_TRUE(WaitFor([&] { return signs >= 2; }));
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(), absl::OkStatus());
}

TEST_F(ReplicaLoopTest, OnceForgottenWhileAShardIsAwayItStopsTryingAndJoinsAgain) {
  cluster_.on_push = [&, first = true]() mutable {
    if (std::exchange(first, false)) cluster_.really_at.erase("s0");
    return absl::OkStatus();
  };
  cluster_.on_report = [&] {
    if (!cluster_.reports.back().still_busy()) return absl::OkStatus();
    cluster_.really_at["s0"] = 0;
    return absl::NotFoundError("taken for dead");
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.joins.size(), 2);
}

TEST_F(ReplicaLoopTest, GivesUpOnAShardThatStaysAway) {
  cluster_.really_at.erase("s1");
  EXPECT_EQ(Run().code(), absl::StatusCode::kUnavailable);
  EXPECT_GT(TimePassed(), absl::Seconds(18));
}

TEST_F(ReplicaLoopTest, SettingTheTimeOfDayNeitherShortensNorLengthensItsPatience) {
  cluster_.really_at.erase("s1");
  for (const absl::Duration jump : {absl::Hours(1), -absl::Hours(1)}) {
    const absl::Duration before = TimePassed();
    cluster_.on_lookup = [&] { clock_.JumpWall(jump); };
    EXPECT_EQ(Run().code(), absl::StatusCode::kUnavailable);
    EXPECT_GT(TimePassed() - before, absl::Seconds(18));
    EXPECT_LT(TimePassed() - before, absl::Seconds(22));
  }
}

TEST_F(ReplicaLoopTest, RefusesARunOfAnotherLayout) {
  cluster_.run.set_layout_fingerprint(1);
  EXPECT_EQ(Run().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace downpour
