// Where on the data's way: between gradient and push; noise has the amounts asked for, and each answer is
// always the same.
#include "worker/replica/replica_noise.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

constexpr int32_t kClasses = 10;

ReplicaNoise Noise(const NoiseDescription& description, uint64_t seed = 1, uint64_t replica_id = 1) {
  return ReplicaNoise(description, seed, replica_id, kClasses);
}

TEST(ReplicaNoiseTest, NothingIsDisturbedByDefault) {
  const ReplicaNoise noise = Noise({});
  std::vector<float> gradient = {1, -2, 3};
  std::vector<int32_t> labels = {1, 2, 3};
  noise.DisturbGradient(0, absl::MakeSpan(gradient));
  noise.DisturbLabels(0, absl::MakeSpan(labels));
  EXPECT_THAT(gradient, ::testing::ElementsAre(1, -2, 3));
  EXPECT_THAT(labels, ::testing::ElementsAre(1, 2, 3));
  EXPECT_FALSE(noise.PushDropped(1) || noise.PushRepeated(1) || noise.adversary());
  EXPECT_EQ(noise.PushDelay(1), absl::ZeroDuration());
  EXPECT_EQ(noise.slowness(), 1);
}

// Moments of the normal distribution: 0, sigma^2, 0, 3 sigma^4; and its share beyond 2 sigma, 4.55 %.
TEST(ReplicaNoiseTest, GaussianNoiseHasTheMomentsOfANormalDistribution) {
  NoiseDescription description;
  description.set_gradient_sigma(0.5);
  std::vector<float> gradient(1'000'000);
  for (size_t i = 0; i < gradient.size(); ++i)
    gradient[i] = i % 2 == 0 ? 4.0f : -4.0f;  // RMS 4, so sigma is 2
  std::vector<float> disturbed = gradient;
  Noise(description).DisturbGradient(3, absl::MakeSpan(disturbed));
  double sum = 0, squares = 0, cubes = 0, fourths = 0, beyond = 0, neighbours = 0, before = 0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    const double z = (disturbed[i] - gradient[i]) / 2;
    sum += z;
    squares += z * z;
    cubes += z * z * z;
    fourths += z * z * z * z;
    beyond += std::abs(z) > 2;
    neighbours += z * before;
    before = z;
  }
  const double n = static_cast<double>(gradient.size());
  // Each within six standard errors.
  EXPECT_NEAR(sum / n, 0, 6e-3);
  EXPECT_NEAR(squares / n, 1, 6 * std::sqrt(2 / n));
  EXPECT_NEAR(cubes / n, 0, 6 * std::sqrt(15 / n));
  EXPECT_NEAR(fourths / n, 3, 6 * std::sqrt(96 / n));
  EXPECT_NEAR(beyond / n, 0.0455, 6 * std::sqrt(0.0455 * 0.9545 / n));
  EXPECT_NEAR(neighbours / n, 0, 6e-3);
}

TEST(ReplicaNoiseTest, IsTheSameAtEveryLookAndAnotherForEachReplicaStepAndSeed) {
  NoiseDescription description;
  description.set_gradient_sigma(1);
  const auto disturbed = [&](uint64_t seed, uint64_t replica, int64_t step) {
    std::vector<float> gradient(8, 1.0f);
    Noise(description, seed, replica).DisturbGradient(step, absl::MakeSpan(gradient));
    return gradient;
  };
  EXPECT_EQ(disturbed(1, 1, 0), disturbed(1, 1, 0));
  EXPECT_NE(disturbed(1, 1, 0), disturbed(2, 1, 0));
  EXPECT_NE(disturbed(1, 1, 0), disturbed(1, 2, 0));
  EXPECT_NE(disturbed(1, 1, 0), disturbed(1, 1, 1));
}

TEST(ReplicaNoiseTest, ReplacesTheShareOfLabelsByAnyClass) {
  NoiseDescription description;
  description.set_label_share(0.3);
  std::vector<int32_t> labels(100'000, 4);
  Noise(description).DisturbLabels(0, absl::MakeSpan(labels));
  std::vector<int> counts(kClasses);
  for (const int32_t label : labels) ++counts.at(label);
  const double n = static_cast<double>(labels.size());
  for (int32_t label = 0; label < kClasses; ++label) {
    const double wanted = label == 4 ? 0.7 + 0.03 : 0.03;  // a tenth of the replaced ones stay by chance
    EXPECT_NEAR(counts[label] / n, wanted, 6 * std::sqrt(wanted * (1 - wanted) / n)) << label;
  }
}

TEST(ReplicaNoiseTest, DropsRepeatsAndDelaysTheirSharesIndependently) {
  NoiseDescription description;
  description.set_push_drop_share(0.2);
  description.set_push_repeat_share(0.3);
  description.set_push_delay_share(0.5);
  description.set_push_delay_s(7);
  const ReplicaNoise noise = Noise(description);
  constexpr int kPushes = 100'000;
  int dropped = 0, repeated = 0, delayed = 0, dropped_and_repeated = 0;
  for (uint64_t sequence = 1; sequence <= kPushes; ++sequence) {
    dropped += noise.PushDropped(sequence);
    repeated += noise.PushRepeated(sequence);
    dropped_and_repeated += noise.PushDropped(sequence) && noise.PushRepeated(sequence);
    const absl::Duration delay = noise.PushDelay(sequence);
    delayed += delay == absl::Seconds(7);
    EXPECT_TRUE(delay == absl::Seconds(7) || delay == absl::ZeroDuration());
  }
  const auto error = [](double share) { return 6 * std::sqrt(share * (1 - share) / kPushes); };
  EXPECT_NEAR(dropped, 0.2 * kPushes, error(0.2) * kPushes);
  EXPECT_NEAR(repeated, 0.3 * kPushes, error(0.3) * kPushes);
  EXPECT_NEAR(delayed, 0.5 * kPushes, error(0.5) * kPushes);
  EXPECT_NEAR(dropped_and_repeated, 0.06 * kPushes, error(0.06) * kPushes);
}

TEST(ReplicaNoiseTest, AdversariesAndSlowReplicasAreTheExactShareOfTheIds) {
  NoiseDescription description;
  description.set_adversary_share(0.1);
  description.set_adversary_scale(-3);
  description.set_slow_share(0.25);
  description.set_slow_factor(4);
  int adversaries = 0, slow = 0;
  for (uint64_t id = 1; id <= 200; ++id) {
    const ReplicaNoise noise = Noise(description, 1, id);
    adversaries += noise.adversary();
    slow += noise.slowness() == 4;
    std::vector<float> gradient = {1, -2};
    noise.DisturbGradient(0, absl::MakeSpan(gradient));
    EXPECT_EQ(gradient[0], noise.adversary() ? -3 : 1);
    EXPECT_EQ(gradient[1], noise.adversary() ? 6 : -2);
  }
  EXPECT_EQ(adversaries, 20);
  EXPECT_EQ(slow, 50);
  description.set_adversary_share(1);
  EXPECT_TRUE(Noise(description, 1, 1).adversary());
}

}  // namespace
}  // namespace downpour
