// Where on the data's way: the wire and files at rest; bytes taken off the front, and what is said when too
// few are left.
#include "common/wire/byte_reader.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace downpour {
namespace {

TEST(ByteReaderTest, TakesNumbersAndBytesInOrder) {
  const std::string bytes(
      "\x07\x34\x12\xff\xff\xff\xff\xff\xff\xff\xff"
      "abc",
      14);
  ByteReader reader(bytes, absl::StatusCode::kDataLoss, "a.bin");
  EXPECT_EQ(reader.Number<uint8_t>("kind").value(), 7);
  EXPECT_EQ(reader.Number<uint16_t>("count").value(), 0x1234);
  EXPECT_EQ(reader.Number<int64_t>("key").value(), -1);
  EXPECT_EQ(reader.offset(), 11u);
  EXPECT_EQ(reader.left(), 3u);
  const absl::string_view taken = reader.Bytes(2, "text").value();
  EXPECT_EQ(taken, "ab");
  EXPECT_EQ(taken.data(), bytes.data() + 11) << "not a copy";
  EXPECT_EQ(reader.Bytes(1, "text").value(), "c");
  EXPECT_EQ(reader.Bytes(0, "nothing").value(), "");
  EXPECT_EQ(reader.left(), 0u);
}

TEST(ByteReaderTest, NeverReadsPastTheEnd) {
  ByteReader reader("abc", absl::StatusCode::kInvalidArgument, "packed gradient");
  EXPECT_TRUE(reader.Bytes(1, "text").ok());
  const absl::Status status = reader.Number<uint32_t>("count").status();
  EXPECT_EQ(status, absl::InvalidArgumentError("packed gradient: byte 1: 2 bytes left, want 4 of count"));
  EXPECT_FALSE(reader.Bytes(std::numeric_limits<uint64_t>::max(), "text").ok());
  EXPECT_EQ(reader.Bytes(2, "text").value(), "bc") << "an error takes nothing";
}

TEST(ByteReaderTest, AnErrorSaysWhereAndWhatAndHasTheCodeOfTheReader) {
  ByteReader reader("abc", absl::StatusCode::kDataLoss, "a.ckpt");
  EXPECT_TRUE(reader.Bytes(3, "text").ok());
  EXPECT_EQ(reader.Error("3 sections, want 4"), absl::DataLossError("a.ckpt: byte 3: 3 sections, want 4"));
}

}  // namespace
}  // namespace downpour
