// Where on the data's way: names and shapes inside the flat parameter vector.
#include "common/layout/parameter_layout.h"

#include "gtest/gtest.h"

namespace downpour {
namespace {

TEST(ParameterLayout, LaysTensorsOutDenselyInOrder) {
  const ParameterLayout layout = *ParameterLayout::Create({{"w", {3, 4}}, {"b", {3}}, {"scalar", {}}});
  EXPECT_EQ(layout.size(), 16);
  EXPECT_EQ(layout.Find("w")->keys, (KeyRange{0, 12}));
  EXPECT_EQ(layout.Find("b")->keys, (KeyRange{12, 15}));
  EXPECT_EQ(layout.Find("scalar")->keys, (KeyRange{15, 16}));
  EXPECT_EQ(layout.Find("c").status().code(), absl::StatusCode::kNotFound);
}

// CRC-32C of "w:3x4;b:3;", worked out with the bitwise algorithm of RFC 3720, B.4.
TEST(ParameterLayout, FingerprintIsTheDocumentedChecksum) {
  EXPECT_EQ(ParameterLayout::Create({{"w", {3, 4}}, {"b", {3}}})->fingerprint(), 0x2de1965au);
}

TEST(ParameterLayout, FingerprintTellsNamesShapesAndOrderApart) {
  const uint32_t fingerprint = ParameterLayout::Create({{"w", {3, 4}}, {"b", {3}}})->fingerprint();
  EXPECT_NE(ParameterLayout::Create({{"w", {4, 3}}, {"b", {3}}})->fingerprint(), fingerprint);
  EXPECT_NE(ParameterLayout::Create({{"w", {12}}, {"b", {3}}})->fingerprint(), fingerprint);
  EXPECT_NE(ParameterLayout::Create({{"v", {3, 4}}, {"b", {3}}})->fingerprint(), fingerprint);
  EXPECT_NE(ParameterLayout::Create({{"b", {3}}, {"w", {3, 4}}})->fingerprint(), fingerprint);
}

TEST(ParameterLayout, RefusesWhatIsNoLayout) {
  for (const auto& specs :
       std::vector<std::vector<ParameterLayout::TensorSpec>>{{},
                                                             {{"", {1}}},
                                                             {{"a", {1}}, {"a", {2}}},
                                                             {{"a", {0}}},
                                                             {{"a", {2, -1}}},
                                                             {{"a", {1 << 21, 1 << 20}}},
                                                             {{"a", {int64_t{1} << 62, 4}}},
                                                             {{"a", {int64_t{1} << 40}}, {"b", {1}}}}) {
    EXPECT_EQ(ParameterLayout::Create(specs).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace downpour
