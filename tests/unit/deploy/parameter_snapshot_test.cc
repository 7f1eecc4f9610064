// Where on the data's way: inside the virtual cluster; what a replica keeps of a fetch.
#include "deploy/parameter_snapshot.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

TEST(ParameterSnapshotTest, KeepsFloatsAsTheyAreAndRoundsToBfloat16) {
  std::vector<float> scratch;
  ParameterSnapshot floats(4, /*bfloat16=*/false);
  floats.Write(1, {1 + 0.6f / 128, -3});
  EXPECT_THAT(floats.Read(&scratch), ElementsAre(0, 1 + 0.6f / 128, -3, 0));
  EXPECT_EQ(floats.bytes().size(), 16u);
  ParameterSnapshot halves(4, /*bfloat16=*/true);
  halves.Write(1, {1 + 0.6f / 128, -3});
  EXPECT_THAT(halves.Read(&scratch), ElementsAre(0, 1 + 1.0f / 128, -3, 0));
  EXPECT_EQ(halves.bytes().size(), 8u);
}

TEST(ParameterSnapshotTest, LoadsItsOwnBytesAndNoOthers) {
  for (const bool bfloat16 : {false, true}) {
    ParameterSnapshot written(3, bfloat16), loaded(3, bfloat16);
    written.Write(0, {1, 2, -0.5f});
    ASSERT_TRUE(loaded.Load(written.bytes()).ok());
    std::vector<float> scratch;
    EXPECT_THAT(loaded.Read(&scratch), ElementsAre(1, 2, -0.5f));
    EXPECT_TRUE(absl::IsInvalidArgument(loaded.Load(written.bytes().substr(1))));
  }
}

}  // namespace
}  // namespace downpour
