// Where on the data's way: all of it, in virtual time: the same seed gives the same bits, and a cluster's
// staleness.
#include "deploy/virtual_cluster.h"

#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

double TestAccuracy(const EvaluationRecord& record) {
  return static_cast<double>(record.result.test().correct()) / record.result.test().frames();
}

// Replicas that differ in nothing but their seeds, and transfers that take no time to speak of.
RunDescription EqualReplicas(int replicas, int updates) {
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_replicas(replicas);
  description.mutable_budget()->set_updates(updates);
  description.mutable_evaluation()->set_every_updates(updates);
  VirtualClockDescription& times = *description.mutable_virtual_clock();
  times.set_replica_speed_sigma(0);
  times.set_straggler_probability(0);
  times.set_latency_s(1e-5);
  return description;
}

TEST(VirtualClusterTest, EvaluatesAtExactlyTheUpdatesAskedForAndEndsAtTheBudget) {
  const VirtualRunResult run = RunVirtually(SyntheticRun());
  ASSERT_EQ(run.status, absl::OkStatus());
  std::vector<int64_t> updates;
  for (const EvaluationRecord& record : run.records) updates.push_back(record.point.updates());
  EXPECT_THAT(updates, ::testing::ElementsAre(0, 25, 50, 75, 100));
  EXPECT_EQ(run.records.back().point.frames(), 100 * 20);
}

TEST(VirtualClusterTest, EndsWhenTheEpochsAreReadToTheFrame) {
  RunDescription description = SyntheticRun();
  description.mutable_budget()->clear_updates();
  description.mutable_budget()->set_epochs(2);
  const VirtualRunResult run = RunVirtually(description);
  ASSERT_EQ(run.status, absl::OkStatus());
  EXPECT_EQ(run.records.back().point.frames(), 2 * 2000);
}

TEST(VirtualClusterTest, SameSeedGivesTheSameBits) {
  EXPECT_EQ(RunVirtually(SyntheticRun()), RunVirtually(SyntheticRun()));
}

TEST(VirtualClusterTest, BitsDoNotDependOnTheNumberOfThreads) {
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_n_push(2);
  const VirtualRunResult one = RunVirtually(description, {.threads = 1});
  EXPECT_EQ(one, RunVirtually(description, {.threads = 2}));
  EXPECT_EQ(one, RunVirtually(description, {.threads = 7}));
}

TEST(VirtualClusterTest, AnotherSeedGivesOtherBits) {
  RunDescription description = SyntheticRun();
  const VirtualRunResult first = RunVirtually(description);
  description.set_seed(2);
  EXPECT_NE(first.parameters, RunVirtually(description).parameters);
}

// In a steady state each replica pushes once while every other does: 19 updates come between.
TEST(VirtualClusterTest, TwentyEqualReplicasHaveAStalenessOfAboutNineteen) {
  const VirtualRunResult run = RunVirtually(EqualReplicas(20, 2000));
  ASSERT_EQ(run.status, absl::OkStatus());
  EXPECT_NEAR(run.records.back().staleness.Mean(), 19, 0.5);
}

TEST(VirtualClusterTest, OneReplicaAloneHasNoStaleness) {
  const VirtualRunResult run = RunVirtually(EqualReplicas(1, 50));
  ASSERT_EQ(run.status, absl::OkStatus());
  EXPECT_EQ(run.records.back().staleness.Percentile(100), 0);
}

TEST(VirtualClusterTest, StragglersRaiseTheTailOfTheStalenessAndNotItsMean) {
  RunDescription description = EqualReplicas(20, 2000);
  const EvaluationRecord even = RunVirtually(description).records.back();
  description.mutable_virtual_clock()->set_straggler_probability(0.03);
  description.mutable_virtual_clock()->set_straggler_factor(6);
  const EvaluationRecord straggling = RunVirtually(description).records.back();
  EXPECT_LT(even.staleness.Percentile(99), 40);
  EXPECT_GT(straggling.staleness.Percentile(99), 80);
  EXPECT_NEAR(straggling.staleness.Mean(), even.staleness.Mean(), 1);
}

TEST(VirtualClusterTest, WarmStartIsOneReplicaAlone) {
  RunDescription description = EqualReplicas(20, 200);
  description.mutable_cluster()->set_warm_start_updates(100);
  description.mutable_evaluation()->set_every_updates(100);
  const VirtualRunResult run = RunVirtually(description);
  ASSERT_EQ(run.status, absl::OkStatus());
  ASSERT_EQ(run.records.size(), 3);
  EXPECT_EQ(run.records[1].reported.staleness.Percentile(100), 0);
  EXPECT_GT(run.records[2].reported.staleness.Mean(), 10);
  // 100 updates of half a second each by one replica, then 20 times as fast.
  EXPECT_NEAR(run.records[1].point.virtual_s(), 50, 5);
  EXPECT_LT(run.records[2].point.virtual_s() - run.records[1].point.virtual_s(), 8);
}

TEST(VirtualClusterTest, ManyMinibatchesAPushReachShardsAsOneUpdate) {
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_n_push(5);
  description.mutable_cluster()->set_n_fetch(5);
  const VirtualRunResult run = RunVirtually(description);
  ASSERT_EQ(run.status, absl::OkStatus());
  const EvaluationPoint& end = run.records.back().point;
  EXPECT_EQ(end.updates(), 100);
  // Each replica's first push carries one minibatch, the later ones five.
  EXPECT_NEAR(end.frames(), (96 * 5 + 4) * 20, 4 * 5 * 20);
}

TEST(VirtualClusterTest, LearnsFarAboveChance) {
  const VirtualRunResult run = RunVirtually(SyntheticRun());
  EXPECT_LT(TestAccuracy(run.records.front()), 0.5);
}

}  // namespace
}  // namespace downpour
