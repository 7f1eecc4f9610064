// Where on the data's way: what the evaluator does when the coordinator or shards fail.
#include "worker/evaluator/evaluator_loop.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/unit/worker/fake_cluster.h"

namespace downpour {
namespace {

class EvaluatorLoopTest : public ::testing::Test {
 protected:
  absl::Status Run() {
    EvaluatorLoopOptions options;
    options.coordinator = &cluster_;
    options.connect_shard = cluster_.Connector();
    options.data = cluster_.data.get();
    options.clock = &clock_;
    options.give_up_after = absl::Seconds(20);
    options.stopped = [this] { return stopped_; };
    return RunEvaluator(options);
  }

  FakeCluster cluster_;
  FakeClock clock_;
  bool stopped_ = false;
};

TEST_F(EvaluatorLoopTest, ScoresTheTestSetWheneverItIsDueUntilTheEnd) {
  EXPECT_EQ(Run(), absl::OkStatus());
  ASSERT_EQ(cluster_.evaluations.size(), 2);
  EXPECT_EQ(cluster_.evaluations[0].test().frames(), 500);
  EXPECT_FALSE(cluster_.evaluations[0].has_test_human());
}

TEST_F(EvaluatorLoopTest, JoinsAgainWhereShardsHaveSwappedAddresses) {
  cluster_.on_lookup = [&] {
    cluster_.really_at = {{"s0", 1}, {"s1", 0}};
    cluster_.known_at = {"s1", "s0"};
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.lookups, 2);
  EXPECT_EQ(cluster_.evaluations.size(), 2);
}

TEST_F(EvaluatorLoopTest, GivesUpOnAShardThatAnswersAsAnotherForLong) {
  cluster_.really_at["s0"] = 1;
  EXPECT_EQ(Run().code(), absl::StatusCode::kDataLoss);
  EXPECT_GT(clock_.Now() - absl::UnixEpoch(), absl::Seconds(18));
}

TEST_F(EvaluatorLoopTest, SettingTheTimeOfDayNeitherShortensNorLengthensItsPatience) {
  cluster_.really_at.erase("s0");
  for (const absl::Duration jump : {absl::Hours(1), -absl::Hours(1)}) {
    const absl::Time began = clock_.Now();
    cluster_.evaluations_handed_out = 0;
    cluster_.on_lookup = [&] { clock_.JumpWall(jump); };
    EXPECT_EQ(Run().code(), absl::StatusCode::kUnavailable);
    EXPECT_GT(clock_.Now() - began, absl::Seconds(18));
    EXPECT_LT(clock_.Now() - began, absl::Seconds(22));
  }
}

TEST_F(EvaluatorLoopTest, StoppedWhileAShardIsAwayAllIsWell) {
  cluster_.really_at.erase("s0");
  cluster_.on_lookup = [&] { stopped_ = cluster_.lookups == 3; };
  EXPECT_EQ(Run(), absl::OkStatus());
}

TEST_F(EvaluatorLoopTest, EndsWhereItsLastResultIsRecordedThoughTheShardsAreGone) {
  cluster_.really_at.erase("s0");
  cluster_.on_lookup = [&] { cluster_.finished = cluster_.lookups == 3; };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(cluster_.lookups, 3);
}

TEST_F(EvaluatorLoopTest, RefusesARunOfAnotherLayout) {
  cluster_.run.set_layout_fingerprint(1);
  EXPECT_EQ(Run().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace downpour
