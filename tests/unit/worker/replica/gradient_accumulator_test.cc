// Where on the data's way: gradients of minibatches come in from the network; their sum is the next push.
#include "worker/replica/gradient_accumulator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory_resource>
#include <vector>

#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kElements = 3;

class CountingMemory final : public std::pmr::memory_resource {
 public:
  int allocations = 0;

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    ++allocations;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, size_t bytes, size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

ClusterDescription Cluster(int n_push,
                           ClusterDescription::GradientCompression compression = ClusterDescription::NONE) {
  ClusterDescription cluster;
  cluster.set_n_push(n_push);
  cluster.set_gradient_compression(compression);
  cluster.set_top_k_share(0.1f);  // one element of three
  return cluster;
}

class GradientAccumulatorTest : public ::testing::Test {
 protected:
  GradientAccumulator Exact(const ClusterDescription& cluster) {
    return {cluster, kElements, &pool_, nullptr};
  }
  GradientAccumulator Rounding(const ClusterDescription& cluster) {
    return {cluster, kElements, &pool_, &rounded_pool_};
  }
  // Fills the buffer as a network does, in the buffer's type, and refuses a gradient that is not finite.
  static bool Add(std::vector<float> values, GradientAccumulator* accumulator, bool in_float32 = false) {
    return accumulator->Add(in_float32, 1, [&](MutableTensorView gradient) {
      if (gradient.is_bfloat16()) {
        ToBfloat16(values, gradient.bfloats());
      } else {
        std::copy(values.begin(), values.end(), gradient.floats().begin());
      }
      return std::isfinite(values[0]);
    });
  }
  static std::vector<float> Widened(TensorView sum) {
    std::vector<float> values(sum.bfloats().size());
    FromBfloat16(sum.bfloats(), absl::MakeSpan(values));
    return values;
  }

  CountingMemory memory_;
  GradientPool pool_{kElements, &memory_};
  RoundedGradientPool rounded_pool_{kElements, &memory_};
};

// Added to 2^24, a 1 is lost and a 2 is not, so these sums come out only in the order of the minibatches.
TEST_F(GradientAccumulatorTest, SumsTheMinibatchesInTheirOrder) {
  GradientAccumulator accumulator = Exact(Cluster(3));
  EXPECT_TRUE(accumulator.sum().empty());
  EXPECT_TRUE(Add({1, 0x1p24f, 5}, &accumulator));
  EXPECT_TRUE(Add({1, 1, 6}, &accumulator));
  EXPECT_TRUE(Add({0x1p24f, 1, 7}, &accumulator));
  accumulator.Compress();
  accumulator.Round();
  EXPECT_EQ(accumulator.minibatches(), 3);
  EXPECT_THAT(accumulator.sum().floats(), ElementsAre(0x1p24f + 2, 0x1p24f, 18));
  EXPECT_THAT(accumulator.residual(), IsEmpty());
  accumulator.Clear();
  EXPECT_EQ(accumulator.minibatches(), 0);
  EXPECT_TRUE(accumulator.sum().empty());
}

TEST_F(GradientAccumulatorTest, TakesTheSameTwoBuffersForEveryPush) {
  GradientAccumulator accumulator = Exact(Cluster(2));
  for (int push = 0; push < 5; ++push) {
    for (int minibatch = 0; minibatch < 2; ++minibatch) EXPECT_TRUE(Add({1, 2, 3}, &accumulator));
    accumulator.Clear();
  }
  EXPECT_EQ(memory_.allocations, 2);  // the sum, and the minibatch that is added to it
  pool_.Take();
  EXPECT_EQ(memory_.allocations, 2) << "both are in the pool";
}

TEST_F(GradientAccumulatorTest, RoundsTheSumOnceAndNotItsParts) {
  GradientAccumulator accumulator = Rounding(Cluster(2));
  EXPECT_TRUE(Add({1001, 1, 1}, &accumulator));  // 1001 takes ten bits, bfloat16 has eight
  EXPECT_TRUE(Add({1002, 1, 1}, &accumulator));
  EXPECT_THAT(accumulator.sum().floats(), ElementsAre(2003, 2, 2));
  accumulator.Compress();
  accumulator.Round();
  EXPECT_THAT(accumulator.sum().floats(), IsEmpty());
  EXPECT_THAT(Widened(accumulator.sum()), ElementsAre(2000, 2, 2));
  accumulator.Clear();
  EXPECT_TRUE(accumulator.sum().empty());
  EXPECT_EQ(memory_.allocations, 3);
}

TEST_F(GradientAccumulatorTest, LetsTheNetworkRoundOnlyWhatIsPushedAsItIs) {
  GradientAccumulator single = Rounding(Cluster(1));
  EXPECT_TRUE(Add({1, 2, 3}, &single));
  EXPECT_THAT(Widened(single.sum()), ElementsAre(1, 2, 3));
  single.Clear();
  EXPECT_TRUE(Add({1, 2, 3}, &single, /*in_float32=*/true));
  EXPECT_THAT(single.sum().floats(), ElementsAre(1, 2, 3));
  GradientAccumulator compressed = Rounding(Cluster(1, ClusterDescription::EIGHT_BIT));
  EXPECT_TRUE(Add({1, 2, 3}, &compressed));
  EXPECT_FALSE(compressed.sum().is_bfloat16());
}

TEST_F(GradientAccumulatorTest, WhatACompressedPushLeavesOutIsInTheNextOne) {
  GradientAccumulator accumulator = Rounding(Cluster(1, ClusterDescription::TOP_K));
  EXPECT_TRUE(Add({1, 10, 100}, &accumulator));
  accumulator.Compress();
  accumulator.Round();
  EXPECT_THAT(Widened(accumulator.sum()), ElementsAre(0, 0, 100));
  EXPECT_THAT(accumulator.residual(), ElementsAre(1, 10, 0));
  accumulator.Clear();
  EXPECT_THAT(accumulator.residual(), ElementsAre(1, 10, 0));
  EXPECT_TRUE(Add({1, 100, 10}, &accumulator));
  accumulator.Compress();
  EXPECT_THAT(Widened(accumulator.sum()), ElementsAre(0, 110, 0));
  EXPECT_THAT(accumulator.residual(), ElementsAre(2, 0, 10));
}

TEST_F(GradientAccumulatorTest, AGradientThatIsNotFiniteIsDroppedWhole) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  GradientAccumulator accumulator = Exact(Cluster(3));
  EXPECT_FALSE(Add({nan, 5, 5}, &accumulator));
  EXPECT_TRUE(accumulator.sum().empty());
  EXPECT_TRUE(Add({1, 2, 3}, &accumulator));
  EXPECT_FALSE(Add({nan, 5, 5}, &accumulator));
  EXPECT_EQ(accumulator.minibatches(), 1);
  EXPECT_THAT(accumulator.sum().floats(), ElementsAre(1, 2, 3));
  EXPECT_EQ(memory_.allocations, 2);
  GradientAccumulator rounding = Rounding(Cluster(1));
  EXPECT_FALSE(Add({nan, 5, 5}, &rounding));
  EXPECT_EQ(rounding.minibatches(), 0);
  EXPECT_TRUE(rounding.sum().empty());
}

// One accumulator is saved and restored after each step, the other is not.
TEST_F(GradientAccumulatorTest, GoesOnFromACheckpointAsUninterrupted) {
  for (const auto compression : {ClusterDescription::NONE, ClusterDescription::TOP_K}) {
    const ClusterDescription cluster = Cluster(2, compression);
    GradientAccumulator uninterrupted = Rounding(cluster);
    GradientAccumulator accumulator = Rounding(cluster);
    const auto expect_same = [&] {
      GradientAccumulator restored = Rounding(cluster);
      ASSERT_EQ(restored.Load(accumulator.minibatches(), 1, accumulator.sum(), accumulator.residual()),
                absl::OkStatus());
      ASSERT_EQ(accumulator.Load(restored.minibatches(), 1, restored.sum(), restored.residual()),
                absl::OkStatus());
      EXPECT_EQ(accumulator.minibatches(), uninterrupted.minibatches());
      EXPECT_EQ(accumulator.sum().floats(), uninterrupted.sum().floats());
      EXPECT_EQ(accumulator.sum().bfloats(), uninterrupted.sum().bfloats());
      EXPECT_EQ(accumulator.residual(), uninterrupted.residual());
    };
    for (int minibatch = 0; minibatch < 6; ++minibatch) {
      const std::vector<float> gradient = {1001.0f + minibatch, 10, 2000.0f * (minibatch % 3)};
      for (GradientAccumulator* one : {&uninterrupted, &accumulator}) {
        EXPECT_TRUE(Add(gradient, one));
        if (minibatch % 2 == 0) continue;
        one->Compress();
        one->Round();
      }
      expect_same();
      if (minibatch % 2 == 0) continue;
      uninterrupted.Clear();
      accumulator.Clear();
      expect_same();
    }
  }
}

TEST_F(GradientAccumulatorTest, RefusesACheckpointOfAnotherShape) {
  const std::vector<float> floats(kElements);
  const std::vector<uint16_t> bfloats(kElements);
  const TensorView none = absl::Span<const float>();
  const auto code = [&](int64_t minibatches, TensorView sum, absl::Span<const float> residual) {
    return Exact(Cluster(1)).Load(minibatches, 1, sum, residual).code();
  };
  EXPECT_EQ(code(1, floats, {}), absl::StatusCode::kOk);
  EXPECT_EQ(code(0, none, floats), absl::StatusCode::kOk);
  EXPECT_EQ(code(0, floats, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1, none, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1, TensorView(bfloats), {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1, floats, {1, 2}), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace downpour
