// Where on the data's way: inside the virtual cluster; what a replica keeps of a fetch.
#include "deploy/parameter_snapshot.h"

#include <memory>
#include <utility>
#include <vector>

#include "common/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

// A shard of these parameters, from key `begin` on.
std::unique_ptr<ParameterShard> ShardOf(int64_t begin, std::vector<float> parameters) {
  ParameterShard::Options options;
  options.range = {begin, begin + static_cast<int64_t>(parameters.size())};
  return *ParameterShard::Create(options, parameters);
}

std::vector<float> Widened(TensorView view) {
  std::vector<float> widened(view.floats().begin(), view.floats().end());
  for (const uint16_t bfloat : view.bfloats()) widened.push_back(FromBfloat16(bfloat));
  return widened;
}

TEST(ParameterSnapshotTest, KeepsFloatsAsTheyAreAndRoundsToBfloat16) {
  ParameterSnapshot floats(4, /*bfloat16=*/false);
  ASSERT_TRUE(floats.Fetch(*ShardOf(1, {1 + 0.6f / 128, -3})).ok());
  EXPECT_THAT(floats.view().floats(), ElementsAre(0, 1 + 0.6f / 128, -3, 0));
  EXPECT_EQ(floats.bytes().size(), 16u);
  ParameterSnapshot halves(4, /*bfloat16=*/true);
  ASSERT_TRUE(halves.Fetch(*ShardOf(1, {1 + 0.6f / 128, -3})).ok());
  EXPECT_THAT(Widened(halves.view()), ElementsAre(0, 1 + 1.0f / 128, -3, 0));
  EXPECT_EQ(halves.bytes().size(), 8u);
}

TEST(ParameterSnapshotTest, LoadsItsOwnBytesAndNoOthers) {
  for (const bool bfloat16 : {false, true}) {
    ParameterSnapshot written(3, bfloat16), loaded(3, bfloat16);
    ASSERT_TRUE(written.Fetch(*ShardOf(0, {1, 2, -0.5f})).ok());
    ASSERT_TRUE(loaded.Load(written.bytes()).ok());
    EXPECT_THAT(Widened(loaded.view()), ElementsAre(1, 2, -0.5f));
    EXPECT_TRUE(absl::IsInvalidArgument(loaded.Load(written.bytes().substr(1))));
  }
}

}  // namespace
}  // namespace downpour
