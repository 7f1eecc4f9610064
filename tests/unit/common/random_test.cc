// Where on the data's way: in every room; published random numbers, and the moments of each distribution.
#include "common/random.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace downpour {
namespace {

constexpr int kDraws = 200000;

// The published outputs of SplitMix64 with state 1234567
// (rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64).
TEST(Random, IsSplitMix64) {
  Random random = Random::FromState(1234567);
  for (uint64_t wanted : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                          4593380528125082431u, 16408922859458223821u}) {
    EXPECT_EQ(random.Next(), wanted);
  }
}

TEST(Random, GoesOnFromItsState) {
  Random random(42, 3);
  random.Next();
  Random restored = Random::FromState(random.state());
  EXPECT_EQ(restored.Next(), random.Next());
}

TEST(Random, SeedsAndStreamsDiffer) {
  std::set<uint64_t> first;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    for (uint64_t stream = 0; stream < 30; ++stream) first.insert(Random(seed, stream).Next());
  }
  EXPECT_EQ(first.size(), 900);
}

// A value of RandomAt() depends on seed and index alone, and values of neighbouring seeds or indices are
// unlike each other.
TEST(Random, RandomAtIsDistinctForSeedAndIndex) {
  std::set<uint64_t> values;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    for (uint64_t n = 0; n < 30; ++n) values.insert(RandomAt(seed, n));
  }
  EXPECT_EQ(values.size(), 900);
  EXPECT_EQ(RandomAt(3, 4), RandomAt(3, 4));
}

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments MomentsOf(const std::function<double()>& draw) {
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = draw();
    sum += value;
    squares += value * value;
  }
  const double mean = sum / kDraws;
  return {mean, squares / kDraws - mean * mean};
}

// Tolerances: five standard errors of a mean, sqrt(variance / draws), and about as much of a variance.
TEST(Random, DistributionsHaveTheirMoments) {
  Random random(1);
  const Moments uniform = MomentsOf([&] { return random.Uniform(); });
  EXPECT_NEAR(uniform.mean, 0.5, 0.0033);
  EXPECT_NEAR(uniform.variance, 1.0 / 12, 0.001);
  const Moments normal = MomentsOf([&] { return random.Normal(); });
  EXPECT_NEAR(normal.mean, 0, 0.012);
  EXPECT_NEAR(normal.variance, 1, 0.016);
  const Moments exponential = MomentsOf([&] { return random.Exponential(); });
  EXPECT_NEAR(exponential.mean, 1, 0.012);
  EXPECT_NEAR(exponential.variance, 1, 0.032);
  const Moments log_normal = MomentsOf([&] { return std::log(random.LogNormal(0.3)); });
  EXPECT_NEAR(log_normal.mean, 0, 0.0034);
  EXPECT_NEAR(log_normal.variance, 0.09, 0.0015);
}

TEST(Random, UniformStaysBelowOne) {
  Random random(5);
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.Uniform();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
  }
}

TEST(Random, BelowIsEvenAndInBounds) {
  Random random(2);
  std::vector<int> counts(7);
  for (int i = 0; i < kDraws; ++i) ++counts.at(random.Below(7));
  for (int count : counts) EXPECT_NEAR(count, kDraws / 7.0, 800);  // five standard deviations of 156
  EXPECT_EQ(random.Below(1), 0);
}

TEST(Random, ShuffleMakesEachOrderAlikeOften) {
  Random random(3);
  std::map<std::vector<uint32_t>, int> counts;
  for (int i = 0; i < 24000; ++i) {
    std::vector<uint32_t> values = {0, 1, 2, 3};
    random.Shuffle(absl::MakeSpan(values));
    ++counts[values];
  }
  EXPECT_EQ(counts.size(), 24);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 160);  // five standard deviations of 31
}

}  // namespace
}  // namespace downpour
