// Where on the data's way: between gradient and push; what of a gradient travels now, and what later.
#include "worker/replica/gradient_compressor.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "common/wire/gradient_packing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kElements = 3 * kGradientBlockElements + 77;

ClusterDescription Cluster(ClusterDescription::GradientCompression compression, float top_k_share = 0.01f) {
  ClusterDescription cluster;
  cluster.set_gradient_compression(compression);
  cluster.set_top_k_share(top_k_share);
  return cluster;
}

std::vector<float> Gradient(uint64_t seed, int64_t elements = kElements) {
  Random random(seed);
  std::vector<float> gradient(elements);
  for (float& value : gradient) value = static_cast<float>(random.Normal() * 1e-3);
  return gradient;
}

// What `compressor` pushes of the gradient.
std::vector<float> Pushed(GradientCompressor* compressor, const std::vector<float>& gradient) {
  std::vector<uint16_t> rounded(gradient.size());
  compressor->Compress(gradient, absl::MakeSpan(rounded));
  std::vector<float> pushed(gradient.size());
  FromBfloat16(rounded, absl::MakeSpan(pushed));
  return pushed;
}

std::vector<float> Compressed(const ClusterDescription& cluster, const std::vector<float>& gradient) {
  GradientCompressor compressor(cluster);
  return Pushed(&compressor, gradient);
}

class GradientCompressorTest : public ::testing::TestWithParam<ClusterDescription::GradientCompression> {};

TEST_P(GradientCompressorTest, WhatIsLeftOutOfOnePushIsInTheNextOnes) {
  GradientCompressor compressor(Cluster(GetParam()));
  std::vector<double> given(kElements), travelled(kElements);
  for (int push = 0; push < 50; ++push) {
    const std::vector<float> gradient = Gradient(push);
    const std::vector<float> pushed = Pushed(&compressor, gradient);
    for (int64_t i = 0; i < kElements; ++i) given[i] += gradient[i];
    for (int64_t i = 0; i < kElements; ++i) travelled[i] += pushed[i];
  }
  for (int64_t i = 0; i < kElements; ++i)
    ASSERT_NEAR(travelled[i] + compressor.residual()[i], given[i], 1e-7) << i;
}

TEST_P(GradientCompressorTest, PacksIntoTheBitsItSays) {
  const ClusterDescription cluster = Cluster(GetParam());
  const std::vector<float> gradient = Gradient(1, 100 * kGradientBlockElements);
  std::vector<uint16_t> rounded(gradient.size());
  GradientCompressor(cluster).Compress(gradient, absl::MakeSpan(rounded));
  const double bits = 8.0 * static_cast<double>(PackGradient(0, rounded).size());
  EXPECT_NEAR(bits / static_cast<double>(gradient.size()) / PushedBits(cluster), 1, 0.01);
}

TEST_P(GradientCompressorTest, StaysFiniteAtEitherEndOfFloat32) {
  for (const float size : {std::numeric_limits<float>::max(), std::numeric_limits<float>::min(),
                           std::numeric_limits<float>::denorm_min(), 0.0f}) {
    GradientCompressor compressor(Cluster(GetParam()));
    for (int push = 0; push < 3; ++push) {
      std::vector<float> gradient(kElements, size);
      for (int64_t i = 0; i < kElements; i += 2) gradient[i] = -size;
      const std::vector<float> pushed = Pushed(&compressor, gradient);
      for (int64_t i = 0; i < kElements; ++i) {
        ASSERT_TRUE(std::isfinite(pushed[i])) << size << " at " << i;
        ASSERT_TRUE(std::isfinite(compressor.residual()[i])) << size << " at " << i;
      }
    }
  }
}

// Enough elements that each thread has a part of them, many of them of one magnitude, for TOP_K's last places.
TEST_P(GradientCompressorTest, GivesTheSameBitsOnAnyNumberOfThreads) {
  constexpr int64_t kMany = 1000 * kGradientBlockElements + 5;
  const int threads = omp_get_max_threads();
  std::vector<std::vector<float>> results;
  for (const int number : {1, 2, 3, 7}) {
    omp_set_num_threads(number);
    GradientCompressor compressor(Cluster(GetParam(), 0.3f));
    std::vector<float>& result = results.emplace_back();
    for (int push = 0; push < 3; ++push) {
      std::vector<float> gradient = Gradient(push, kMany);
      for (int64_t i = 0; i < kMany; i += 2) gradient[i] = i % 3 == 0 ? 1e-3f : -1e-3f;
      const std::vector<float> pushed = Pushed(&compressor, gradient);
      result.insert(result.end(), pushed.begin(), pushed.end());
    }
    result.insert(result.end(), compressor.residual().begin(), compressor.residual().end());
    EXPECT_EQ(result, results.front()) << number;
  }
  omp_set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(All, GradientCompressorTest,
                         ::testing::Values(ClusterDescription::EIGHT_BIT, ClusterDescription::ONE_BIT,
                                           ClusterDescription::TOP_K),
                         [](const auto& info) {
                           return ClusterDescription::GradientCompression_Name(info.param);
                         });

// 127.5 / 2^0 lies in [64, 128), so elements become whole numbers, at most 127.
TEST(GradientCompressorTest, EightBitRoundsToTheBlocksPowerOfTwo) {
  EXPECT_THAT(Compressed(Cluster(ClusterDescription::EIGHT_BIT), {127.5f, 1.4f, -1.6f, 0.2f, -0.2f}),
              ElementsAre(127, 1, -2, 0, 0));
  EXPECT_THAT(Compressed(Cluster(ClusterDescription::EIGHT_BIT), {0.75f, 0.01f}),
              ElementsAre(0.75f, 1.0f / 128));
}

TEST(GradientCompressorTest, OneBitIsTheMeanOfItsSign) {
  EXPECT_THAT(Compressed(Cluster(ClusterDescription::ONE_BIT), {1, 2, 3, -4, -6}),
              ElementsAre(2, 2, 2, -5, -5));
}

TEST(GradientCompressorTest, BlocksStandForThemselves) {
  std::vector<float> gradient(2 * kGradientBlockElements, 1);
  for (int64_t i = 0; i < kGradientBlockElements; ++i) gradient[i] = 1000;
  EXPECT_EQ(Compressed(Cluster(ClusterDescription::ONE_BIT), gradient), gradient);
}

TEST(GradientCompressorTest, TopKKeepsTheLargestAndTheFirstOfEquals) {
  const ClusterDescription two_of_five = Cluster(ClusterDescription::TOP_K, 0.4f);
  EXPECT_THAT(Compressed(two_of_five, {1, -5, 2, 4, 3}), ElementsAre(0, -5, 0, 4, 0));
  EXPECT_THAT(Compressed(two_of_five, {1, 1, 2, 1, 1}), ElementsAre(1, 0, 2, 0, 0));
  EXPECT_THAT(Compressed(Cluster(ClusterDescription::TOP_K, 1e-9f), {1, 2, 3}), ElementsAre(0, 0, 3))
      << "at least one";
  EXPECT_THAT(Compressed(Cluster(ClusterDescription::TOP_K, 1), {1, 2, 3}), ElementsAre(1, 2, 3));
  std::vector<float> equals(300 * kGradientBlockElements, -3);
  const std::vector<float> kept = Compressed(Cluster(ClusterDescription::TOP_K, 0.4f), equals);
  std::fill(equals.begin() + std::llround(0.4f * static_cast<double>(equals.size())), equals.end(), 0);
  EXPECT_EQ(kept, equals);
}

}  // namespace
}  // namespace downpour
