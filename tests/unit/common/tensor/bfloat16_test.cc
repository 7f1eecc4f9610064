// Where on the data's way: between replica and shard; float32 values rounded to bfloat16 and widened again.
#include "common/tensor/bfloat16.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace downpour {
namespace {

float Rounded(float value) { return FromBfloat16(ToBfloat16(value)); }

TEST(Bfloat16Test, IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(ToBfloat16(1.0f), 0x3f80);
  EXPECT_EQ(ToBfloat16(-2.5f), 0xc020);
  EXPECT_EQ(ToBfloat16(-0.0f), 0x8000);
  EXPECT_EQ(FromBfloat16(0x4049), 3.140625f);  // pi, cut
}

// Eight bits of significand: between 1 and 2 the values are 1/128 apart.
TEST(Bfloat16Test, RoundsToNearestAndHalvesToEven) {
  EXPECT_EQ(Rounded(1 + 0.4f / 128), 1);
  EXPECT_EQ(Rounded(1 + 0.6f / 128), 1 + 1.0f / 128);
  EXPECT_EQ(Rounded(1 + 0.5f / 128), 1);
  EXPECT_EQ(Rounded(1 + 1.5f / 128), 1 + 2.0f / 128);
  EXPECT_EQ(Rounded(2 - 0.1f / 128), 2) << "into the next power";
  EXPECT_EQ(Rounded(1e-40f), FromBfloat16(0x0001)) << "denormals too";
}

TEST(Bfloat16Test, KeepsWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Rounded(infinity), infinity);
  EXPECT_EQ(Rounded(-infinity), -infinity);
  EXPECT_EQ(Rounded(std::numeric_limits<float>::max()), infinity);
  EXPECT_TRUE(std::isnan(Rounded(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(Rounded(std::bit_cast<float>(0x7f800001)))) << "payload in the lower half only";
}

TEST(Bfloat16Test, EveryBfloat16StaysAsItIs) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = FromBfloat16(static_cast<uint16_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(ToBfloat16(value), bits);
  }
}

// Every kind of upper half with lower halves around the middle, in lengths that are and are not whole blocks.
TEST(Bfloat16Test, SpansRoundAndWidenAsSingleValuesDo) {
  for (const size_t size : {5, 128, 300, 0x10000 + 77}) {
    std::vector<float> values(size);
    for (size_t i = 0; i < size; ++i) {
      const auto upper_half = static_cast<uint32_t>(i * 0x9e37 % 0x10000);
      values[i] = std::bit_cast<float>(upper_half << 16 | static_cast<uint32_t>(0x7ffe + i % 4));
    }
    std::vector<uint16_t> rounded(size);
    ToBfloat16(values, absl::MakeSpan(rounded));
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(rounded[i], ToBfloat16(values[i])) << i << " of " << size;
    FromBfloat16(rounded, absl::MakeSpan(values));
    for (size_t i = 0; i < size; ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), uint32_t{rounded[i]} << 16) << i << " of " << size;
    }
  }
}

}  // namespace
}  // namespace downpour
