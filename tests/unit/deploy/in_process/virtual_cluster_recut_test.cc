// Where on the data's way: guards deploy/in_process/: a virtual run goes on with another number of shards,
// and each push is applied to every key once.
#include "deploy/in_process/virtual_cluster_recut.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

std::vector<float> ParametersOf(const VirtualClusterSnapshot& snapshot) {
  std::vector<float> parameters;
  for (const ShardSnapshot& shard : snapshot.shards)
    parameters.insert(parameters.end(), shard.parameters.begin(), shard.parameters.end());
  return parameters;
}

class VirtualClusterRecutTest : public ::testing::Test {
 protected:
  VirtualClusterRecutTest() {
    description_.mutable_virtual_clock()->set_bandwidth_bytes_per_s(2000);  // transfers are under way
  }

  // The run of `snapshot`, re-cut to `shards`, to its end.
  VirtualRunResult GoOn(const VirtualClusterSnapshot& snapshot, int shards) {
    const auto cut = RecutVirtualCluster(snapshot, shards);
    EXPECT_TRUE(cut.ok()) << cut.status();
    RunDescription description = description_;
    description.mutable_cluster()->set_shards(shards);
    VirtualRunOptions options;
    options.resume_from = &*cut;
    return RunVirtually(description, options);
  }

  RunDescription description_ = SyntheticRun();
};

TEST_F(VirtualClusterRecutTest, PushesUnderWayReachEveryKeyOnce) {
  int under_way = 0;
  for (int64_t event = 1; event < 200; event += 11) {
    SCOPED_TRACE(absl::StrCat("event ", event));
    const VirtualClusterSnapshot snapshot = StoppedAt(description_, event);
    uint64_t begun = 0;  // pushes that at least one shard has or is to get
    for (const auto& replica : snapshot.header.replicas()) begun += replica.model().sequence() - 1;
    std::set<uint32_t> pushing;
    for (const auto& next : snapshot.header.events()) {
      const bool pushes = next.kind() == VirtualClusterCheckpoint::Event::PUSHED;
      if (pushes || next.kind() == VirtualClusterCheckpoint::Event::ACKNOWLEDGED)
        pushing.insert(next.replica());
      under_way += pushes;
    }
    begun += pushing.size();
    const auto cut = RecutVirtualCluster(snapshot, 3);
    ASSERT_TRUE(cut.ok()) << cut.status();
    EXPECT_EQ(CheckCoherent(*cut), absl::OkStatus());
    ASSERT_EQ(cut->shards.size(), 3);
    for (const ShardSnapshot& shard : cut->shards) {
      EXPECT_EQ(shard.header.version(), begun);
      EXPECT_EQ(shard.header.pushes_partial(), 0);
    }
  }
  EXPECT_GT(under_way, 10);
}

TEST_F(VirtualClusterRecutTest, ParametersKeepTheirBitsAndTheRunGoesOnToItsEnd) {
  for (const auto consistency : {ClusterDescription::ASYNCHRONOUS, ClusterDescription::SYNCHRONOUS}) {
    description_.mutable_cluster()->set_consistency(consistency);
    const VirtualClusterSnapshot two = *RecutVirtualCluster(StoppedAt(description_, 101), 4);
    for (const int shards : {3, 1}) {
      const auto cut = RecutVirtualCluster(two, shards);
      ASSERT_TRUE(cut.ok()) << cut.status();
      EXPECT_EQ(ParametersOf(*cut), ParametersOf(two));
      const VirtualRunResult end = GoOn(two, shards);
      EXPECT_EQ(end.status, absl::OkStatus());
      EXPECT_EQ(end.records.back().point.updates(), 100);
    }
  }
}

TEST_F(VirtualClusterRecutTest, EveryKindOfPushArrives) {
  description_.mutable_optimizer()->set_compensation(OptimizerDescription::DELAY);
  description_.mutable_cluster()->set_wire(ClusterDescription::BFLOAT16);
  description_.mutable_cluster()->set_gradient_compression(ClusterDescription::EIGHT_BIT);
  EXPECT_EQ(GoOn(StoppedAt(description_, 47), 5).status, absl::OkStatus());
}

TEST_F(VirtualClusterRecutTest, PushesOfSeveralPlanesArrive) {
  for (const auto rule : {OptimizerDescription::DIAGONAL_HESSIAN, OptimizerDescription::VSGD}) {
    description_.mutable_optimizer()->set_kind(rule);
    description_.mutable_optimizer()->set_slow_start(10000);
    for (const int64_t event : {20, 47, 101}) {
      const VirtualRunResult end = GoOn(StoppedAt(description_, event), 5);
      EXPECT_EQ(end.status, absl::OkStatus());
      EXPECT_EQ(end.records.back().point.pushes_rejected(), 0);
    }
  }
}

TEST_F(VirtualClusterRecutTest, TheSameNumberChangesNothing) {
  const VirtualClusterSnapshot snapshot = StoppedAt(description_, 47);
  EXPECT_EQ(GoOn(snapshot, 2), [&] {
    VirtualRunOptions options;
    options.resume_from = &snapshot;
    return RunVirtually(description_, options);
  }());
}

}  // namespace
}  // namespace downpour
