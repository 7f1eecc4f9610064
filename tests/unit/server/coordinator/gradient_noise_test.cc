// Where on the data's way: from the replicas' gradient sketches to the log; the noise scale of gradients
// whose noise is known.
#include "server/coordinator/gradient_noise.h"

#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

// `count` sketches with mean element `mean` and standard deviation `sigma`.
void AddSketches(int count, double mean, double sigma, Random* random, GradientNoise* noise) {
  std::vector<float> sketch(kGradientSketchSize);
  for (int i = 0; i < count; ++i) {
    for (float& value : sketch) value = static_cast<float>(mean + sigma * random->Normal());
    noise->Add(sketch);
  }
}

TEST(GradientNoiseTest, AbsentBeforeAWholeWindow) {
  GradientNoise noise;
  Random random(1);
  AddSketches(GradientNoise::kWindow - 1, 1, 1, &random, &noise);
  EXPECT_FALSE(noise.Variance().has_value() || noise.SquaredNorm().has_value());
  EXPECT_FALSE(noise.NoiseScale().has_value());
  AddSketches(1, 1, 1, &random, &noise);
  EXPECT_TRUE(noise.Variance().has_value());
}

// Two values, half the sketches each, by hand: squares 32 * 256 * (9 + 1) / 2, mean 2: variance (40960 - 32 *
// 1024) / 31 = 8192 / 31, squared norm 1024 - 8192 / 31 / 32 = 1024 - 256 / 31.
TEST(GradientNoiseTest, IsTheUnbiasedVarianceByHand) {
  GradientNoise noise;
  for (int i = 0; i < GradientNoise::kWindow; ++i) {
    noise.Add(std::vector<float>(kGradientSketchSize, i % 2 == 0 ? 3.0f : 1.0f));
  }
  EXPECT_NEAR(*noise.Variance(), 8192.0 / 31, 1e-9);
  EXPECT_NEAR(*noise.SquaredNorm(), 1024 - 256.0 / 31, 1e-9);
  EXPECT_NEAR(*noise.NoiseScale(), (8192.0 / 31) / (1024 - 256.0 / 31), 1e-9);
}

// tr(Sigma) = 256 sigma^2, |G|^2 = 256 mean^2.
TEST(GradientNoiseTest, FindsTheNoiseThatWasPutIn) {
  for (const double sigma : {0.0, 0.5, 4.0}) {
    GradientNoise noise;
    Random random(7);
    AddSketches(100 * GradientNoise::kWindow, 0.5, sigma, &random, &noise);
    EXPECT_NEAR(*noise.Variance(), 256 * sigma * sigma, 0.02 * 256 * sigma * sigma);
    EXPECT_NEAR(*noise.SquaredNorm(), 64, 4);
    EXPECT_NEAR(*noise.NoiseScale(), 4 * sigma * sigma, 0.1 * 4 * sigma * sigma);
  }
}

TEST(GradientNoiseTest, NoScaleWhereTheGradientDrowns) {
  GradientNoise noise;
  for (int i = 0; i < GradientNoise::kWindow; ++i) {
    noise.Add(std::vector<float>(kGradientSketchSize, i % 2 == 0 ? 1.0f : -1.0f));  // mean 0
  }
  EXPECT_LT(*noise.SquaredNorm(), 0);
  EXPECT_FALSE(noise.NoiseScale().has_value());
}

TEST(GradientNoiseTest, SavedAndMergedItGoesOnAlike) {
  GradientNoise whole, part;
  Random random(3), same(3);
  AddSketches(80, 1, 1, &random, &whole);
  AddSketches(50, 1, 1, &same, &part);
  GradientNoise restored;
  ASSERT_TRUE(restored.Load(part.Save()).ok());
  AddSketches(30, 1, 1, &same, &restored);
  EXPECT_EQ(*restored.NoiseScale(), *whole.NoiseScale());
  EXPECT_EQ(restored.Save().SerializeAsString(), whole.Save().SerializeAsString());

  GradientNoise later;
  AddSketches(64, 1, 1, &same, &later);
  const double sum = 2 * *whole.Variance() + 2 * *later.Variance();
  whole.Merge(later);
  EXPECT_NEAR(*whole.Variance(), sum / 4, 1e-9);
}

TEST(GradientNoiseTest, RefusesAStateThatContradictsItself) {
  GradientNoiseState state;
  state.set_window_sketches(3);
  EXPECT_TRUE(absl::IsInvalidArgument(GradientNoise().Load(state)));
  state.set_window_sketches(GradientNoise::kWindow);
  EXPECT_TRUE(absl::IsInvalidArgument(GradientNoise().Load(state)));
  state.Clear();
  state.set_windows(-1);
  EXPECT_TRUE(absl::IsInvalidArgument(GradientNoise().Load(state)));
}

}  // namespace
}  // namespace downpour
