// Where on the data's way: guards deploy/in_process/: virtual runs in which replicas wait for each other.
#include <algorithm>
#include <memory>
#include <utility>

#include "common/layout/network_layout.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/coordinator/data_slices.h"
#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

constexpr auto kAsynchronous = ClusterDescription::ASYNCHRONOUS;
constexpr auto kBounded = ClusterDescription::BOUNDED;
constexpr auto kSynchronous = ClusterDescription::SYNCHRONOUS;

// 18 replicas that take half a second for a gradient, and two that take 2.5; transfers take almost no time.
RunDescription TwoSlowReplicasOf20(ClusterDescription::Consistency consistency) {
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_replicas(20);
  description.mutable_cluster()->set_consistency(consistency);
  description.mutable_budget()->set_updates(720);
  description.mutable_evaluation()->set_every_updates(720);
  description.mutable_noise()->set_slow_share(0.1);
  VirtualClockDescription& times = *description.mutable_virtual_clock();
  times.set_compute_sigma(0);
  times.set_replica_speed_sigma(0);
  times.set_straggler_probability(0);
  times.set_latency_s(1e-5);
  return description;
}

struct End {
  double updates_per_s;
  double worst_staleness;
  CoordinatorCheckpoint coordinator;

  int64_t MostMinibatchesAhead() const {
    const auto fewer = [](const auto& a, const auto& b) { return a.minibatches() < b.minibatches(); };
    const auto& replicas = coordinator.membership().replicas();
    const auto [least, most] = std::minmax_element(replicas.begin(), replicas.end(), fewer);
    return most->minibatches() - least->minibatches();
  }
};

End RunToTheEnd(const RunDescription& description) {
  VirtualRunOptions options;
  options.checkpoint_path = ::testing::TempDir() + "/virtual_cluster_consistency_test.ckpt";
  const VirtualRunResult run = RunVirtually(description, options);
  EXPECT_EQ(run.status, absl::OkStatus());
  const EvaluationRecord& last = run.records.back();
  const auto checkpoint = ReadVirtualCluster(options.checkpoint_path);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return {static_cast<double>(last.point.updates()) / last.point.virtual_s(),
          static_cast<double>(last.staleness.Percentile(100)), checkpoint->header.coordinator()};
}

TEST(VirtualConsistency, BoundedReplicasGoAsFastAsTheSlowestAndNoFurtherThanTheBound) {
  const End asynchronous = RunToTheEnd(TwoSlowReplicasOf20(kAsynchronous));
  EXPECT_GT(asynchronous.MostMinibatchesAhead(), 20);
  EXPECT_NEAR(asynchronous.updates_per_s, 18 / 0.5 + 2 / 2.5, 1);
  for (const int bound : {0, 3}) {
    RunDescription description = TwoSlowReplicasOf20(kBounded);
    description.mutable_cluster()->set_staleness_bound(bound);
    const End bounded = RunToTheEnd(description);
    EXPECT_LE(bounded.MostMinibatchesAhead(), bound + 1) << "the step that it takes last is not waited for";
    EXPECT_NEAR(bounded.updates_per_s, 20 / 2.5, 1);
    EXPECT_LT(bounded.worst_staleness, 20 * (bound + 2));
  }
}

TEST(VirtualConsistency, BackupReplicasSpareSynchronousRoundsTheSlowOnes) {
  RunDescription description = TwoSlowReplicasOf20(kSynchronous);
  const End without = RunToTheEnd(description);
  EXPECT_NEAR(without.updates_per_s, 20 / 2.5, 0.1);
  EXPECT_EQ(without.coordinator.pushes_late(), 0);
  description.mutable_cluster()->set_backup_replicas(2);
  const End with = RunToTheEnd(description);
  EXPECT_NEAR(with.updates_per_s, 18 / 0.5, 0.5);
  // 40 rounds in 20 s, in which each of the two makes 7 or 8 pushes.
  EXPECT_NEAR(static_cast<double>(with.coordinator.pushes_late()), 15, 1);
  for (const End& end : {without, with}) EXPECT_EQ(end.worst_staleness, 0);
}

// The oracle adds up in double precision what one network computes from the slices that replicas are dealt.
TEST(VirtualConsistency, SynchronousSgdIsGradientDescentWithTheMeanOfAllReplicas) {
  constexpr int kReplicas = 4, kRounds = 8;
  constexpr float kRate = 0.3f;
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_consistency(kSynchronous);
  description.mutable_optimizer()->set_kind(OptimizerDescription::SGD);
  description.mutable_optimizer()->set_learning_rate(kRate);
  description.mutable_budget()->set_updates(kReplicas * kRounds);
  const VirtualRunResult run = RunVirtually(description);
  ASSERT_EQ(run.status, absl::OkStatus());

  const std::shared_ptr<const RunData> data = SyntheticRunData();
  const int minibatch = description.cluster().minibatch();
  const auto network = *Network::Create({.network = description.network(),
                                         .input_dim = data->summary.input_dim(),
                                         .classes = data->summary.classes(),
                                         .max_frames = minibatch});
  const int64_t size = network->layout().size();
  std::vector<float> parameters(size), gradient(size);
  InitializeParameters(network->layout(), description.network(), description.seed(), {0, size},
                       absl::MakeSpan(parameters));
  std::vector<double> exact(parameters.begin(), parameters.end());
  auto slices = *DataSlices::Create(data->summary.utterances(), data->summary.frames(),
                                    description.data().slice_frames());
  std::vector<MinibatchSource> sources;
  for (int replica = 0; replica < kReplicas; ++replica) {
    sources.emplace_back(data->train, minibatch, description.seed());
    ASSERT_TRUE(sources.back().AddSlice(slices.Deal(replica)).ok());
  }
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> sum(size);
    for (MinibatchSource& source : sources) {
      Minibatch frames;
      source.Next(&frames);
      ASSERT_TRUE(network->ComputeGradient(parameters, frames, absl::MakeSpan(gradient)).ok());
      for (int64_t key = 0; key < size; ++key) sum[key] += gradient[key];
    }
    for (int64_t key = 0; key < size; ++key) exact[key] -= kRate * sum[key] / kReplicas;
    std::copy(exact.begin(), exact.end(), parameters.begin());
  }
  EXPECT_THAT(run.parameters, ::testing::Pointwise(::testing::FloatNear(2e-6f), parameters));
}

TEST(VirtualConsistency, AWarmStartIsOneReplicaAloneBeforeTheRounds) {
  RunDescription description = TwoSlowReplicasOf20(kSynchronous);
  description.mutable_noise()->Clear();
  description.mutable_cluster()->set_warm_start_updates(10);
  description.mutable_budget()->set_updates(10 + 20 * 30);
  // 10 updates by one replica and 30 rounds of all, each of half a second.
  EXPECT_NEAR(RunToTheEnd(description).updates_per_s, 610 / 20.0, 0.1);
}

}  // namespace
}  // namespace downpour
