// Where on the data's way: from the corpus maker to disk; Kaldi's archives in their exact bytes.
#include "deploy/corpus/kaldi_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

// A string literal with its zero bytes.
template <size_t kSize>
std::string Bytes(const char (&literal)[kSize]) {
  return std::string(literal, kSize - 1);
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// By hand from Kaldi's layout: "FM ", 4 rows, 4 cols, values; and a vector of two.
const std::string kMatrixObject =
    Bytes("\0BFM \4\2\0\0\0\4\3\0\0\0") +
    Bytes("\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x00\xbf\x00\x00\x00\x00\x00\x00\x80\x40");
const std::string kVectorObject = Bytes("\0B\4\2\0\0\0\4\7\0\0\0\4\xff\xff\xff\xff");

TEST(ArchiveWriter, WritesKaldisExactBytesAndOffsets) {
  const std::string ark = ::testing::TempDir() + "w.ark";
  const std::string scp = ::testing::TempDir() + "w.scp";
  auto writer = ArchiveWriter::Create(ark, scp);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->WriteMatrix("utt-1", 3, {1, 2, 3, -0.5, 0, 4}).ok());
  ASSERT_TRUE((*writer)->WriteIntVector("u2", {7, -1}).ok());
  ASSERT_TRUE((*writer)->Close().ok());
  EXPECT_EQ(Slurp(ark), "utt-1 " + kMatrixObject + "u2 " + kVectorObject);
  const size_t second = 6 + kMatrixObject.size() + 3;
  EXPECT_EQ(Slurp(scp), absl::StrCat("utt-1 ", ark, ":6\nu2 ", ark, ":", second, "\n"));
}

TEST(ArchiveWriter, RefusesKeysThatWouldNotReadBack) {
  auto writer = ArchiveWriter::Create(::testing::TempDir() + "w.ark", "");
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ((*writer)->WriteIntVector("", {1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*writer)->WriteIntVector("a b", {1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*writer)->WriteIntVector("a\n", {1}).code(), StatusCode::kInvalidArgument);
}

TEST(ArchiveWriter, AFullDiskIsResourceExhausted) {
  auto writer = ArchiveWriter::Create("/dev/full", "");
  ASSERT_TRUE(writer.ok());
  absl::Status status = (*writer)->WriteIntVector("a", {1});
  status.Update((*writer)->Close());
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("/dev/full"));
  EXPECT_EQ(ArchiveWriter::Create("/no/such/folder/x.ark", "").status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace downpour
