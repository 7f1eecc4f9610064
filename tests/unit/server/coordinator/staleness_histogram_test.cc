// Where on the data's way: what the replicas report; the staleness histogram compared with counts made
// by hand.
#include "server/coordinator/staleness_histogram.h"

#include <limits>

#include "common/random.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

TEST(StalenessHistogramTest, EmptyHasZeroMeanAndPercentile) {
  const StalenessHistogram histogram;
  EXPECT_EQ(histogram.pushes(), 0);
  EXPECT_EQ(histogram.Mean(), 0);
  EXPECT_EQ(histogram.Percentile(99), 0u);
}

TEST(StalenessHistogramTest, PercentileIsTheNearestRank) {
  StalenessHistogram histogram;
  for (uint64_t staleness = 1; staleness <= 200; ++staleness) histogram.Add(staleness);
  EXPECT_EQ(histogram.Percentile(99), 198u);  // the 198th of 200
  EXPECT_EQ(histogram.Percentile(50), 100u);
  EXPECT_EQ(histogram.Percentile(100), 200u);
  EXPECT_EQ(histogram.Percentile(1), 2u);
  EXPECT_DOUBLE_EQ(histogram.Mean(), 100.5);
}

TEST(StalenessHistogramTest, OneOutlierInAHundredLeavesTheNinetyNinthPercentileAlone) {
  StalenessHistogram histogram;
  for (int i = 0; i < 99; ++i) histogram.Add(3);
  histogram.Add(1000);
  EXPECT_EQ(histogram.Percentile(99), 3u);
  histogram.Add(1000);  // two of 101: the 100th is an outlier
  EXPECT_EQ(histogram.Percentile(99), 1000u);
}

TEST(StalenessHistogramTest, LargeValuesAreRoundedDownByLessThanOneIn128) {
  Random random(1);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t staleness = random.Next() >> random.Below(64);
    StalenessHistogram histogram;
    histogram.Add(staleness);
    const uint64_t counted = histogram.counts().begin()->first;
    if (staleness < 1024) {
      EXPECT_EQ(counted, staleness);
    } else {
      EXPECT_LE(counted, staleness);
      EXPECT_LT(staleness - counted, staleness / 128 + 1) << staleness;
    }
  }
}

// A report can bring half a million values.
TEST(StalenessHistogramTest, ItsSizeIsBoundedWhateverIsReported) {
  StalenessHistogram histogram;
  Random random(2);
  for (int i = 0; i < 500000; ++i) histogram.Add(random.Next() >> random.Below(64));
  EXPECT_LE(histogram.counts().size(), 7936u);
  EXPECT_EQ(histogram.pushes(), 500000);
}

TEST(StalenessHistogramTest, MergeAndSaveKeepCounts) {
  constexpr uint64_t kLargest = uint64_t{255} << 56;
  StalenessHistogram a, b;
  a.Add(0);
  a.Add(7);
  b.Add(7);
  b.Add(~uint64_t{0});
  a.Merge(b);
  StalenessHistogram loaded;
  loaded.Add(5);
  ASSERT_TRUE(loaded.Load(a.Save()).ok());
  EXPECT_EQ(loaded.counts(), (std::map<uint64_t, int64_t>{{0, 1}, {7, 2}, {kLargest, 1}}));
  EXPECT_EQ(loaded.pushes(), 4);
}

TEST(StalenessHistogramTest, LoadRefusesWhatSaveNeverWrites) {
  StalenessHistogram histogram;
  histogram.Add(1);
  StalenessCounts state;
  state.add_staleness(4);
  EXPECT_EQ(histogram.Load(state).code(), absl::StatusCode::kInvalidArgument);
  state.add_pushes(0);
  EXPECT_EQ(histogram.Load(state).code(), absl::StatusCode::kInvalidArgument);
  state.set_pushes(0, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(histogram.Load(state).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(histogram.pushes(), 1);
}

}  // namespace
}  // namespace downpour
