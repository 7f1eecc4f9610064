// Where on the data's way: guards deploy/in_process/: virtual runs of the same seed have the same bits, and
// staleness and speed are as computed by hand.
#include "deploy/in_process/virtual_cluster.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

double TestAccuracy(const EvaluationRecord& record) {
  return static_cast<double>(record.result.test().correct()) / record.result.test().frames();
}

// Replicas that differ only in their seeds, and transfers that take almost no time.
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

// The network is so wide that matrix products would be cut into pieces if they used threads of their own.
TEST(VirtualClusterTest, BitsOfAWiderNetworkDoNotDependOnTheNumberOfThreadsEither) {
  constexpr int kClasses = 300;
  auto data = std::make_shared<RunData>();
  data->train = SyntheticDataset(20, 100, kClasses, 1, {.context = 22});
  data->test = SyntheticDataset(5, 100, kClasses, 2, {.context = 22});
  data->normalization = {{0, 0}, {1, 1}};
  data->summary = Summarize(*data->train, data->normalization, kClasses);
  ASSERT_EQ(data->train->input_dim(), 90);
  RunDescription description = SyntheticRun();
  description.mutable_network()->set_hidden_width(0, 200);
  description.mutable_cluster()->set_minibatch(100);
  description.mutable_budget()->set_updates(20);
  description.mutable_evaluation()->set_every_updates(10);
  VirtualRunOptions options;
  options.data = data;
  const VirtualRunResult one = RunVirtually(description, options);
  ASSERT_EQ(one.status, absl::OkStatus());
  ASSERT_EQ(one.parameters.size(), 90 * 200 + 200 + 200 * 300 + 300);
  for (const int threads : {2, 7}) {
    options.threads = threads;
    EXPECT_TRUE(one == RunVirtually(description, options)) << threads << " threads";
  }
}

TEST(VirtualClusterTest, AnotherSeedGivesOtherBits) {
  RunDescription description = SyntheticRun();
  const VirtualRunResult first = RunVirtually(description);
  description.set_seed(2);
  EXPECT_NE(first.parameters, RunVirtually(description).parameters);
}

// In a steady state each replica pushes once while every other does: 19 updates come in between.
TEST(VirtualClusterTest, TwentyEqualReplicasHaveAStalenessOfAboutNineteen) {
  const VirtualRunResult run = RunVirtually(EqualReplicas(20, 2000));
  ASSERT_EQ(run.status, absl::OkStatus());
  EXPECT_NEAR(run.records.back().staleness.Mean(), 19, 0.5);
}

// The paper's number of replicas. The first round, in which all start from the same parameters, ends before
// the first evaluation.
TEST(VirtualClusterTest, TwoHundredEqualReplicasHaveAStalenessOfAbout199) {
  RunDescription description = EqualReplicas(200, 8000);
  description.mutable_evaluation()->set_every_updates(2000);
  const VirtualRunResult run = RunVirtually(description, {.threads = 2});
  ASSERT_EQ(run.status, absl::OkStatus());
  EXPECT_EQ(run.records.back().point.live_replicas(), 200);
  EXPECT_NEAR(run.records.back().reported.staleness.Mean(), 199, 2);
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

double UpdatesPerSecond(const RunDescription& description) {
  const VirtualRunResult run = RunVirtually(description);
  EXPECT_EQ(run.status, absl::OkStatus());
  return run.records.back().point.updates() / run.records.back().point.virtual_s();
}

// 20 replicas of half a second a gradient make 40 updates a second. A shard has half of 133 float32,
// 266 bytes.
TEST(VirtualClusterTest, AShardsLinkBoundsTheUpdatesThatPassIt) {
  RunDescription description = EqualReplicas(20, 1000);
  description.mutable_virtual_clock()->set_compute_sigma(0);
  EXPECT_NEAR(UpdatesPerSecond(description), 40, 1);
  description.mutable_virtual_clock()->set_shard_bytes_per_s(10 * 266);
  EXPECT_NEAR(UpdatesPerSecond(description), 10, 0.3);
  description.mutable_cluster()->set_shards(4);
  EXPECT_NEAR(UpdatesPerSecond(description), 10 * 266.0 / 136, 0.3);  // the largest of the four shards has 34
}

TEST(VirtualClusterTest, SlowReplicasDelayedDroppedAndRepeatedPushesShowInTheUpdates) {
  RunDescription description = EqualReplicas(20, 1000);
  description.mutable_virtual_clock()->set_compute_sigma(0);
  NoiseDescription& noise = *description.mutable_noise();
  noise.set_slow_share(0.5);
  noise.set_slow_factor(5);
  EXPECT_NEAR(UpdatesPerSecond(description), 10 / 0.5 + 10 / 2.5, 1);
  noise.Clear();
  noise.set_push_delay_share(1);
  noise.set_push_delay_s(1.5);
  EXPECT_NEAR(UpdatesPerSecond(description), 20 / 2.0, 0.5);
  noise.Clear();
  noise.set_push_drop_share(0.5);
  EXPECT_NEAR(UpdatesPerSecond(description), 40 * 0.5, 3);
  noise.Clear();
  noise.set_push_repeat_share(0.5);
  EXPECT_NEAR(UpdatesPerSecond(description), 40 * 1.5, 3);
}

TEST(VirtualClusterTest, AdversariesAndRandomLabelsCostAccuracy) {
  RunDescription description = SyntheticRun();
  description.mutable_budget()->set_updates(1500);
  description.mutable_evaluation()->set_every_updates(1500);
  const double undisturbed = TestAccuracy(RunVirtually(description).records.back());
  description.mutable_noise()->set_label_share(1);
  EXPECT_LT(TestAccuracy(RunVirtually(description).records.back()), undisturbed - 0.3);
  description.mutable_noise()->Clear();
  description.mutable_noise()->set_adversary_share(0.75);
  EXPECT_LT(TestAccuracy(RunVirtually(description).records.back()), undisturbed - 0.3);
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
  // One replica makes 100 updates of half a second each; then the run is 20 times as fast.
  EXPECT_NEAR(run.records[1].point.virtual_s(), 50, 5);
  EXPECT_LT(run.records[2].point.virtual_s() - run.records[1].point.virtual_s(), 8);
}

TEST(VirtualClusterTest, ReplicasThatJoinOneByOneRaiseStalenessBitByBit) {
  RunDescription description = EqualReplicas(20, 200);
  description.mutable_cluster()->set_join_every_updates(10);
  description.mutable_evaluation()->set_every_updates(50);
  const VirtualRunResult run = RunVirtually(description);
  ASSERT_EQ(run.status, absl::OkStatus());
  ASSERT_EQ(run.records.size(), 5);
  // Of 1 to 5 replicas, 6 to 10, 11 to 15, and 16 to 20.
  double least = 0;
  for (int piece = 1; piece <= 4; ++piece) {
    const double staleness = run.records[piece].reported.staleness.Mean();
    EXPECT_GT(staleness, least) << piece;
    EXPECT_LT(staleness, 5 * piece) << piece;
    least = 5 * piece - 5;
  }
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
  RunDescription description = SyntheticRun();
  description.mutable_budget()->set_updates(1500);
  description.mutable_evaluation()->set_every_updates(1500);
  const VirtualRunResult run = RunVirtually(description);
  ASSERT_EQ(run.status, absl::OkStatus());
  EXPECT_LT(TestAccuracy(run.records.front()), 0.6);
  EXPECT_GT(TestAccuracy(run.records.back()), 0.9);  // guessing: 0.2
}

}  // namespace
}  // namespace downpour
