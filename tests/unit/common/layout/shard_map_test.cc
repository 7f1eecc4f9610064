// Where on the data's way: how the parameter vector is split over shards.
#include "common/layout/shard_map.h"

#include <algorithm>
#include <limits>

#include "gtest/gtest.h"

namespace downpour {
namespace {

TEST(ShardMap, RangesTileTheVectorAndDifferByAtMostOne) {
  for (int64_t size : {1, 2, 7, 100, 42821440}) {
    for (int shards : {1, 2, 3, 7, 64, 100}) {
      if (size < shards) continue;
      const ShardMap map = *ShardMap::Create(size, shards);
      int64_t next = 0;
      int64_t smallest = size, largest = 0;
      for (int shard = 0; shard < shards; ++shard) {
        const KeyRange range = map.range(shard);
        EXPECT_EQ(range.begin, next);
        next = range.end;
        smallest = std::min(smallest, range.size());
        largest = std::max(largest, range.size());
      }
      EXPECT_EQ(next, size);
      EXPECT_LE(largest - smallest, 1) << size << " over " << shards;
    }
  }
}

TEST(ShardMap, DoesNotOverflow) {
  const int64_t size = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(ShardMap::Create(size, 1000)->range(999).end, size);
}

TEST(ShardMap, RefusesMoreShardsThanKeys) {
  for (int shards : {0, -1, 4}) {
    EXPECT_EQ(ShardMap::Create(3, shards).status().code(), absl::StatusCode::kInvalidArgument) << shards;
  }
  EXPECT_EQ(ShardMap::Create(0, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace downpour
