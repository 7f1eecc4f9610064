// Where on the data's way: on the wire; a compressed gradient in few bytes, which come back as they were.
#include "common/wire/gradient_packing.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

constexpr int64_t kBlock = kGradientBlockElements;

std::vector<uint16_t> Bfloats(const std::vector<float>& values) {
  std::vector<uint16_t> rounded(values.size());
  ToBfloat16(values, absl::MakeSpan(rounded));
  return rounded;
}

// `size` elements whose block has the form that `kind` names.
std::vector<uint16_t> Elements(absl::string_view kind, int64_t size, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(size);
  for (float& value : values) {
    if (kind == "plain") value = static_cast<float>(random.Normal() * std::exp(5 * random.Normal()));
    if (kind == "two values") value = random.Below(2) == 0 ? 0.25f : -3;
    if (kind == "eight bit") value = std::ldexp(static_cast<float>(random.Below(255)) - 127, -20);
    if (kind == "sparse") value = random.Below(100) == 0 ? static_cast<float>(random.Normal()) : 0;
  }
  return Bfloats(values);
}

std::vector<uint16_t> ThroughTheWire(int64_t begin, const std::vector<uint16_t>& values) {
  std::vector<uint16_t> buffer(values.size());
  const auto unpacked = UnpackGradient(begin, PackGradient(begin, values), absl::MakeSpan(buffer));
  EXPECT_TRUE(unpacked.ok()) << unpacked.status();
  return unpacked.ok() ? std::vector<uint16_t>(unpacked->begin(), unpacked->end()) : std::vector<uint16_t>();
}

class GradientPackingTest : public ::testing::TestWithParam<const char*> {};

TEST_P(GradientPackingTest, LosesNothingWhereverTheElementsBegin) {
  for (const int64_t begin : {int64_t{0}, int64_t{1}, kBlock - 1, kBlock, 7 * kBlock + 100}) {
    for (const int64_t size : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{8}, kBlock, 5 * kBlock + 3}) {
      const std::vector<uint16_t> values = Elements(GetParam(), size, 17);
      EXPECT_EQ(ThroughTheWire(begin, values), values) << GetParam() << ", " << size << " from " << begin;
    }
  }
}

// A byte that is cut off or changed does no harm: the bytes are refused, or as many other elements come out.
TEST_P(GradientPackingTest, TakesNoHarmFromDamage) {
  const std::string packed = PackGradient(3, Elements(GetParam(), kBlock + 50, 5));
  std::vector<uint16_t> buffer(kBlock + 50);
  for (size_t length = 0; length < packed.size(); ++length) {
    const auto cut = UnpackGradient(3, absl::string_view(packed).substr(0, length), absl::MakeSpan(buffer));
    EXPECT_EQ(cut.status().code(), absl::StatusCode::kInvalidArgument) << length;
  }
  EXPECT_EQ(UnpackGradient(3, packed + "x", absl::MakeSpan(buffer)).status().code(),
            absl::StatusCode::kInvalidArgument);
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = packed;
    damaged[random.Below(packed.size())] = static_cast<char>(random.Below(256));
    const auto unpacked = UnpackGradient(3, damaged, absl::MakeSpan(buffer));
    EXPECT_TRUE(!unpacked.ok() || unpacked->size() <= buffer.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, GradientPackingTest,
                         ::testing::Values("plain", "two values", "eight bit", "sparse"),
                         [](const auto& info) { return absl::StrCat("Form", info.index); });

TEST(GradientPackingTest, EachFormTakesTheBytesItsDescriptionSays) {
  const auto bytes = [](absl::string_view kind) { return PackGradient(0, Elements(kind, kBlock, 9)).size(); };
  EXPECT_EQ(bytes("plain"), 4 + 1 + 2 * kBlock);
  EXPECT_EQ(bytes("two values"), 4 + 1 + 4 + kBlock / 8);
  EXPECT_EQ(bytes("eight bit"), 4 + 2 + kBlock);
  const std::vector<uint16_t> sparse = Elements("sparse", kBlock, 9);
  const auto nonzeros = static_cast<size_t>(kBlock - std::count(sparse.begin(), sparse.end(), 0));
  ASSERT_GT(nonzeros, 0);
  EXPECT_EQ(PackGradient(0, sparse).size(), 4 + 3 + 4 * nonzeros);
}

TEST(GradientPackingTest, KeepsEveryBitPattern) {
  std::vector<uint16_t> all(0x10000);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  EXPECT_EQ(ThroughTheWire(0, all), all);
  for (const uint16_t odd :
       {uint16_t{0x8000}, uint16_t{0x7f80}, uint16_t{0xffff}, uint16_t{0x0001}, uint16_t{0x7f7f}}) {
    std::vector<uint16_t> block = Elements("eight bit", kBlock, 2);
    block[100] = odd;
    EXPECT_EQ(ThroughTheWire(0, block), block) << odd;
  }
}

TEST(GradientPackingTest, SaysWhatIsWrongAndWhere) {
  std::vector<uint16_t> buffer(4);
  const auto refusal = [&](const std::string& packed) {
    return std::string(UnpackGradient(0, packed, absl::MakeSpan(buffer)).status().message());
  };
  EXPECT_EQ(refusal(""), "packed gradient: byte 0: 0 bytes left, want 4 of element count");
  EXPECT_EQ(refusal(std::string("\5\0\0\0", 4)), "packed gradient: byte 4: 5 elements, want at most 4");
  EXPECT_EQ(refusal(std::string("\1\0\0\0\7", 5)), "packed gradient: byte 5: a block of form 7, want 0 to 3");
  EXPECT_EQ(refusal(std::string("\2\0\0\0\3\1\0\2\0\0\0", 11)),
            "packed gradient: byte 11: an offset of 2, want one from 0 to 1");
}

TEST(GradientPackingTest, RefusesKeysThatCannotBe) {
  const std::vector<uint16_t> values(4, 0x3f80);
  std::vector<uint16_t> buffer(4);
  for (const int64_t begin :
       {int64_t{-1}, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
        std::numeric_limits<int64_t>::max() - 500}) {
    const auto unpacked = UnpackGradient(begin, PackGradient(0, values), absl::MakeSpan(buffer));
    EXPECT_TRUE(absl::IsInvalidArgument(unpacked.status())) << begin;
    EXPECT_THAT(std::string(unpacked.status().message()), ::testing::HasSubstr(absl::StrCat("key ", begin)));
  }
}

}  // namespace
}  // namespace downpour
