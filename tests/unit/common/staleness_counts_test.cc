// Where on the data's way: pushes, counted by staleness; mean and quantiles compared with those found
// by hand.
#include "common/staleness_counts.h"

#include <cstdint>
#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace downpour {
namespace {

using Counts = std::map<uint64_t, int64_t>;

TEST(StalenessCountsTest, WithoutPushesThereIsNoMeanAndNoQuantile) {
  EXPECT_EQ(StalenessMean(Counts()), std::nullopt);
  EXPECT_EQ(StalenessQuantile(Counts(), 0.5), std::nullopt);
  EXPECT_EQ(StalenessMean(Counts{{7, 0}}), std::nullopt);
  EXPECT_EQ(StalenessQuantile(Counts{{7, 0}}, 1), std::nullopt);
}

TEST(StalenessCountsTest, TheMeanIsOverPushes) {
  EXPECT_EQ(StalenessMean(Counts{{0, 3}, {10, 1}}), 2.5);
  EXPECT_EQ(StalenessMean(std::vector<std::pair<double, double>>{{0, 3}, {10, 1}}), 2.5);
}

TEST(StalenessCountsTest, TheQuantileIsTheNearestRank) {
  const std::vector<std::pair<double, double>> counts = {{0, 1}, {10, 8}, {200, 1}};
  EXPECT_EQ(StalenessQuantile(counts, 0.1), 0);
  EXPECT_EQ(StalenessQuantile(counts, 0.11), 10);
  EXPECT_EQ(StalenessQuantile(counts, 0.9), 10);
  EXPECT_EQ(StalenessQuantile(counts, 0.999), 200);
  EXPECT_EQ(StalenessQuantile(Counts{{3, 1}, {~uint64_t{0}, 1}}, 1), ~uint64_t{0})
      << "not rounded to a double";
}

TEST(StalenessCountsTest, EveryWholePercentIsExact) {
  Counts counts;
  for (uint64_t staleness = 1; staleness <= 100; ++staleness) counts[staleness] = 3;
  for (int percent = 1; percent <= 100; ++percent)
    EXPECT_EQ(StalenessQuantile(counts, percent / 100.0), percent);
}

}  // namespace
}  // namespace downpour
