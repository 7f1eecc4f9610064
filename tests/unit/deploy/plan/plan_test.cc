// Where on the data's way: deploy/plan, before a run; the plan's figures against those of the paper's network
// by hand, and against runs of the simulated cluster.
#include "deploy/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

constexpr Machines kTenGigabit = {
    .workers = 200, .worker_bytes_per_s = 1.25e9, .shard_bytes_per_s = 1.25e9, .shard_cores = 8};
constexpr int64_t kSpeechInput = 26 * 40;

// The paper's network, replicas that take exactly a second, and messages that take no time by themselves.
RunDescription PaperRun() {
  RunDescription description;
  description.mutable_data()->set_classes(8000);
  for (int layer = 0; layer < 4; ++layer) description.mutable_network()->add_hidden_width(2560);
  description.mutable_cluster()->set_wire(ClusterDescription::BFLOAT16);
  description.mutable_cluster()->set_shards(14);
  VirtualClockDescription& clock = *description.mutable_virtual_clock();
  clock.set_compute_mean_s(1);
  clock.set_compute_sigma(0);
  clock.set_replica_speed_sigma(0);
  clock.set_straggler_probability(0);
  clock.set_latency_s(0);
  return description;
}

TEST(Plan, OfThePapersNetwork) {
  const auto plan = MakePlan(PaperRun(), kSpeechInput, kTenGigabit);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->parameters, 42'821'440);
  EXPECT_DOUBLE_EQ(plan->push_bytes, 85'642'880);
  EXPECT_DOUBLE_EQ(plan->fetch_bytes, 85'642'880);
  EXPECT_NEAR(plan->fetch_s, 0.0685, 0.0001) << "85.6 MB at 1.25 GB/s";
  EXPECT_NEAR(plan->asked, 200 / 1.137, 0.1);
  EXPECT_NEAR(plan->links_carry, 14 * 1.25e9 / 85'642'880, 0.1);
  EXPECT_EQ(plan->shards_for_links, 13);  // 175.9 of 14.6 a shard
  EXPECT_NEAR(plan->cores_carry, 8 / (42'821'440 / 158e6 / 14 + 0.55e-3), 0.1);
  EXPECT_EQ(plan->shards_for_cores, 7);
  EXPECT_EQ(plan->bound, Bound::kWorkers);
  EXPECT_DOUBLE_EQ(plan->updates, plan->asked);
  EXPECT_NEAR(WorkersAt(*plan, Bound::kShardLinks, kTenGigabit), plan->links_carry * 1.137, 0.1);
  // ADADELTA: parameters and two vectors; rounded parameters for fetches; connections.
  EXPECT_NEAR(plan->shard_memory, 14e-6 * 42'821'440 / 14 * 1e6 + 200 * 157'286.4, 20);
  EXPECT_NEAR(plan->shard_disk, 3 * 12.0 * 42'821'440 / 14, 40);
  EXPECT_EQ(plan->shard_descriptors, 264);
}

TEST(Plan, FewerPushesAskForLessAndOtherRulesForLessMemory) {
  RunDescription description = PaperRun();
  description.mutable_cluster()->set_n_push(10);
  description.mutable_cluster()->set_n_fetch(5);
  description.mutable_optimizer()->set_kind(OptimizerDescription::SGD);
  description.mutable_cluster()->set_gradient_compression(ClusterDescription::EIGHT_BIT);
  const auto plan = MakePlan(description, kSpeechInput, kTenGigabit);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_NEAR(plan->asked, 20 / (1 + plan->fetch_s / 5 + plan->push_s / 10), 0.01);
  EXPECT_NEAR(plan->links_carry, 14 * 1.25e9 / (2 * 85'642'880), 0.1) << "two fetches for each push";
  EXPECT_LT(plan->push_bytes, 0.51 * plan->fetch_bytes);
  EXPECT_NEAR(plan->shard_disk, 3 * 4.0 * 42'821'440 / 14, 40);
}

// A push goes on from the shards to their standbys, while fetches go to the replicas.
TEST(Plan, StandbysHalveWhatTheLinksCarry) {
  RunDescription description = PaperRun();
  const auto without = MakePlan(description, kSpeechInput, kTenGigabit);
  description.mutable_cluster()->set_standbys(1);
  auto plan = MakePlan(description, kSpeechInput, kTenGigabit);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_DOUBLE_EQ(plan->standby_bytes, 85'642'880);
  EXPECT_NEAR(plan->links_carry, without->links_carry / 2, 1e-6);
  EXPECT_DOUBLE_EQ(plan->shard_memory, without->shard_memory + 64.0 * 1024 * 1024);
  description.mutable_cluster()->set_gradient_compression(ClusterDescription::EIGHT_BIT);
  plan = MakePlan(description, kSpeechInput, kTenGigabit);
  EXPECT_DOUBLE_EQ(plan->standby_bytes, 85'642'880) << "unpacked";
  description.mutable_optimizer()->set_kind(OptimizerDescription::VSGD);
  plan = MakePlan(description, kSpeechInput, kTenGigabit);
  EXPECT_DOUBLE_EQ(plan->standby_bytes, 3 * 2.0 * 85'642'880) << "three planes of float32";
}

// 8 cores have 0.8 ms for each of 10,000 updates a second, and 0.4 ms for 20,000: less than what a shard takes
// for the smallest push and fetch.
TEST(Plan, SaysWhenNoNumberOfShardsSuffices) {
  RunDescription description = PaperRun();
  description.mutable_cluster()->set_shards(1000);
  Machines machines = kTenGigabit;
  machines.worker_bytes_per_s = machines.shard_bytes_per_s = 1e15;
  machines.workers = 10'000;
  EXPECT_EQ(MakePlan(description, kSpeechInput, machines)->shards_for_cores, 1085);
  machines.workers = 20'000;
  const auto plan = MakePlan(description, kSpeechInput, machines);
  EXPECT_EQ(plan->shards_for_cores, 0);
  EXPECT_EQ(plan->bound, Bound::kCoordinator);
  EXPECT_NEAR(WorkersAt(*plan, Bound::kCoordinator, machines), 5000, 5) << "0.2 ms a report";
}

TEST(Plan, RefusesWhatCannotBePlanned) {
  EXPECT_EQ(MakePlan(PaperRun(), kSpeechInput, {}).status().code(), absl::StatusCode::kInvalidArgument);
  RunDescription description = PaperRun();
  description.mutable_data()->set_classes(0);
  EXPECT_EQ(MakePlan(description, kSpeechInput, kTenGigabit).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Plan, ReadsLinks) {
  EXPECT_DOUBLE_EQ(*ParseLink("10Gbit"), 1.25e9);
  EXPECT_DOUBLE_EQ(*ParseLink("100Mbit"), 12.5e6);
  EXPECT_DOUBLE_EQ(*ParseLink("1.5GB"), 1.5e9);
  EXPECT_DOUBLE_EQ(*ParseLink("40MB"), 40e6);
  for (const char* wrong : {"", "10", "Gbit", "-1Gbit", "0Gbit", "infGB", "10Gb", "10 Gbit/s"})
    EXPECT_THAT(ParseLink(wrong).status().message(), HasSubstr("as 10Gbit")) << wrong;
}

struct Simulated {
  const char* name;
  int replicas, shards, n_push;
  double shard_bytes_per_s;
  bool spread;  // of compute times and speeds, with stragglers
};

class PlanOfASimulation : public ::testing::TestWithParam<Simulated> {};

// Updates a virtual second of the simulated cluster, far below and far above what its shards' links carry.
// Near that point queues form now and then, and the plan, which knows none, promises more than there is.
TEST_P(PlanOfASimulation, ExpectsTheUpdatesASecondThatItMakes) {
  const Simulated& p = GetParam();
  RunDescription description = SyntheticRun();
  description.mutable_data()->set_classes(kSyntheticClasses);
  ClusterDescription& cluster = *description.mutable_cluster();
  cluster.set_replicas(p.replicas);
  cluster.set_shards(p.shards);
  cluster.set_n_push(p.n_push);
  cluster.set_minibatch(2);
  description.mutable_budget()->set_updates(60 * p.replicas);
  description.mutable_evaluation()->set_every_updates(20 * p.replicas);
  VirtualClockDescription& clock = *description.mutable_virtual_clock();
  if (!p.spread) {
    clock.set_compute_sigma(0);
    clock.set_replica_speed_sigma(0);
    clock.set_straggler_probability(0);
  }
  clock.set_bandwidth_bytes_per_s(20e3);
  clock.set_shard_bytes_per_s(p.shard_bytes_per_s);
  const auto plan = MakePlan(description, SyntheticRunData()->summary.input_dim(),
                             {.workers = p.replicas,
                              .worker_bytes_per_s = 20e3 * p.shards,
                              .shard_bytes_per_s = p.shard_bytes_per_s});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const VirtualRunResult run = RunVirtually(description);
  ASSERT_TRUE(run.status.ok()) << run.status;
  ASSERT_GE(run.records.size(), 3u);
  // After the first evaluation, when the replicas that began together have spread.
  const EvaluationPoint& first = run.records[1].point;
  const EvaluationPoint& last = run.records.back().point;
  const double seen =
      static_cast<double>(last.updates() - first.updates()) / (last.virtual_s() - first.virtual_s());
  EXPECT_NEAR(plan->updates / seen, 1, 0.05) << "planned " << plan->updates << ", seen " << seen;
}

INSTANTIATE_TEST_SUITE_P(Clusters, PlanOfASimulation,
                         ::testing::Values(Simulated{"Free", 20, 2, 1, 1e9, false},
                                           Simulated{"FreeAndSpread", 40, 2, 1, 1e9, true},
                                           Simulated{"ManyShards", 20, 7, 1, 1e9, true},
                                           Simulated{"FewPushes", 20, 2, 4, 1e9, true},
                                           Simulated{"FullLinks", 100, 2, 1, 5e3, true},
                                           Simulated{"FullLinksOfManyShards", 200, 5, 1, 3e3, true}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace downpour
