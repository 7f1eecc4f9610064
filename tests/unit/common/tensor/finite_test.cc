// Where on the data's way: on both sides of the wire; finds NaN and infinity.
#include "common/tensor/finite.h"

#include <cmath>
#include <limits>
#include <vector>

#include "common/tensor/bfloat16.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

TEST(FindNotFinite, FindsTheFirstWhereverItIs) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (float bad : {infinity, -infinity, std::nanf(""), -std::nanf("")}) {
    for (size_t index = 0; index < 100; ++index) {
      std::vector<float> values(100, std::numeric_limits<float>::max());
      EXPECT_EQ(FindNotFinite(values), 100);
      values[index] = bad;
      values.back() = bad;
      EXPECT_EQ(FindNotFinite(values), index);
    }
  }
  EXPECT_EQ(FindNotFinite(std::vector<float>()), 0);
}

TEST(FindNotFinite, SeesEveryBfloat16ThatIsNotFinite) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto value = static_cast<uint16_t>(bits);
    const bool finite = std::isfinite(FromBfloat16(value));
    ASSERT_EQ(FindNotFinite(TensorView(std::vector<uint16_t>{0x3f80, value, 0x3f80})), finite ? 3 : 1)
        << bits;
  }
}

TEST(LargestMagnitude, IsOfEitherSignAndANanWhereThereIsOne) {
  EXPECT_EQ(LargestMagnitude(std::vector<float>()), 0);
  EXPECT_EQ(LargestMagnitude(std::vector<float>{-0.0f, 1e-40f}), 1e-40f);
  EXPECT_EQ(LargestMagnitude(std::vector<float>{2, -3, 1}), 3);
  EXPECT_TRUE(std::isnan(
      LargestMagnitude(std::vector<float>{std::numeric_limits<float>::infinity(), -std::nanf(""), 1})));
}

}  // namespace
}  // namespace downpour
