// Where on the data's way: between fetch and network; what a replica keeps of a fetch.
#include "worker/replica/parameter_snapshot.h"

#include <vector>

#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

// Fills keys [1, 3) as a fetch does.
void Fill(ParameterSnapshot& snapshot, float first, float second) {
  const MutableTensorView memory = snapshot.memory()[{1, 3}];
  if (memory.is_bfloat16()) return ToBfloat16(std::vector<float>{first, second}, memory.bfloats());
  memory.floats()[0] = first;
  memory.floats()[1] = second;
}

std::vector<float> Widened(TensorView view) {
  std::vector<float> widened(view.floats().begin(), view.floats().end());
  for (const uint16_t bfloat : view.bfloats()) widened.push_back(FromBfloat16(bfloat));
  return widened;
}

TEST(ParameterSnapshotTest, HoldsEitherType) {
  ParameterSnapshot floats(4, /*bfloat16=*/false);
  Fill(floats, 1 + 0.6f / 128, -3);
  EXPECT_THAT(floats.view().floats(), ElementsAre(0, 1 + 0.6f / 128, -3, 0));
  EXPECT_EQ(floats.view().bytes().size(), 16u);
  ParameterSnapshot halves(4, /*bfloat16=*/true);
  Fill(halves, 1 + 0.6f / 128, -3);
  EXPECT_THAT(Widened(halves.view()), ElementsAre(0, 1 + 1.0f / 128, -3, 0));
  EXPECT_EQ(halves.view().bytes().size(), 8u);
}

TEST(ParameterSnapshotTest, LoadsItsOwnBytesAndNoOthers) {
  for (const bool bfloat16 : {false, true}) {
    ParameterSnapshot written(3, bfloat16), loaded(3, bfloat16);
    Fill(written, 2, -0.5f);
    ASSERT_TRUE(loaded.Load(written.view().bytes()).ok());
    EXPECT_THAT(Widened(loaded.view()), ElementsAre(0, 2, -0.5f));
    EXPECT_TRUE(absl::IsInvalidArgument(loaded.Load(written.view().bytes().substr(1))));
  }
}

}  // namespace
}  // namespace downpour
