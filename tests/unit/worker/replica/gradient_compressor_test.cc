// Where on the data's way: between gradient and push; what of a gradient travels now, and what later.
#include "worker/replica/gradient_compressor.h"

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

std::vector<float> Compressed(const ClusterDescription& cluster, std::vector<float> gradient) {
  GradientCompressor(cluster).Compress(absl::MakeSpan(gradient));
  return gradient;
}

class GradientCompressorTest : public ::testing::TestWithParam<ClusterDescription::GradientCompression> {};

TEST_P(GradientCompressorTest, WhatIsLeftOutOfOnePushIsInTheNextOnes) {
  GradientCompressor compressor(Cluster(GetParam()));
  std::vector<double> given(kElements), travelled(kElements);
  for (int push = 0; push < 50; ++push) {
    std::vector<float> gradient = Gradient(push);
    for (int64_t i = 0; i < kElements; ++i) given[i] += gradient[i];
    compressor.Compress(absl::MakeSpan(gradient));
    for (int64_t i = 0; i < kElements; ++i) travelled[i] += gradient[i];
  }
  for (int64_t i = 0; i < kElements; ++i)
    ASSERT_NEAR(travelled[i] + compressor.residual()[i], given[i], 1e-7) << i;
}

TEST_P(GradientCompressorTest, LeavesBfloat16sThatPackIntoTheBitsItSays) {
  const ClusterDescription cluster = Cluster(GetParam());
  const std::vector<float> gradient = Compressed(cluster, Gradient(1, 100 * kGradientBlockElements));
  std::vector<uint16_t> rounded(gradient.size());
  ToBfloat16(gradient, absl::MakeSpan(rounded));
  for (size_t i = 0; i < gradient.size(); ++i) ASSERT_EQ(FromBfloat16(rounded[i]), gradient[i]);
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
      compressor.Compress(absl::MakeSpan(gradient));
      for (int64_t i = 0; i < kElements; ++i) {
        ASSERT_TRUE(std::isfinite(FromBfloat16(ToBfloat16(gradient[i])))) << size << " at " << i;
        ASSERT_TRUE(std::isfinite(compressor.residual()[i])) << size << " at " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GradientCompressorTest,
                         ::testing::Values(ClusterDescription::EIGHT_BIT, ClusterDescription::ONE_BIT,
                                           ClusterDescription::TOP_K),
                         [](const auto& info) {
                           return ClusterDescription::GradientCompression_Name(info.param);
                         });

TEST(GradientCompressorTest, NoneLeavesTheGradientAlone) {
  const std::vector<float> gradient = Gradient(1);
  EXPECT_EQ(Compressed(Cluster(ClusterDescription::NONE), gradient), gradient);
}

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
}

}  // namespace
}  // namespace downpour
