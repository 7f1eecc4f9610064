// Where on the data's way: from Kaldi's archives to frames and alignments; exact bytes, Kaldi's own files,
// and damaged ones.
#include "worker/data/kaldi_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/test_data.h"

namespace downpour {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
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

ArchiveReader FromBytes(std::string bytes) {
  return ArchiveReader(ByteSource::FromMemory(std::move(bytes), "mem.ark"));
}

absl::StatusOr<FloatMatrix> MatrixOf(std::string object) {
  FloatMatrix matrix;
  const absl::Status status = FromBytes(std::move(object)).ReadMatrix(&matrix);
  if (!status.ok()) return status;
  return matrix;
}

absl::StatusOr<std::vector<int32_t>> IntVectorOf(std::string object) {
  std::vector<int32_t> values;
  const absl::Status status = FromBytes(std::move(object)).ReadIntVector(&values);
  if (!status.ok()) return status;
  return values;
}

// By hand from Kaldi's layout: "FM ", 4 rows, 4 cols, values; and a vector of two.
const std::string kMatrixObject =
    Bytes("\0BFM \4\2\0\0\0\4\3\0\0\0") +
    Bytes("\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x00\xbf\x00\x00\x00\x00\x00\x00\x80\x40");
const std::string kVectorObject = Bytes("\0B\4\2\0\0\0\4\7\0\0\0\4\xff\xff\xff\xff");

TEST(ArchiveReader, ReadsEntriesInOrderToTheEnd) {
  ArchiveReader reader = FromBytes("utt-1 " + kVectorObject + "u2 " + kVectorObject);
  std::vector<std::string> keys;
  std::string key;
  for (;;) {
    const auto more = reader.NextKey(&key);
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    keys.push_back(key);
    std::vector<int32_t> values;
    ASSERT_TRUE(reader.ReadIntVector(&values).ok());
    EXPECT_THAT(values, ElementsAre(7, -1));
  }
  EXPECT_THAT(keys, ElementsAre("utt-1", "u2"));
}

TEST(ArchiveReader, ReadsDoubleMatrices) {
  const auto matrix =
      MatrixOf(Bytes("\0BDM \4\1\0\0\0\4\2\0\0\0") + Bytes("\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\x04\xc0"));
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_THAT(matrix->values, ElementsAre(1.0f, -2.5f));
}

// min = 1, range = 2; the codes of the piecewise linear scale end at the four percentiles.
TEST(ArchiveReader, ReadsPerColumnCompression) {
  const std::string header = Bytes("\0BCM \x00\x00\x80\x3f\x00\x00\x00\x40\5\0\0\0\1\0\0\0");
  const std::string percentiles =
      Bytes("\x00\x00\x33\x33\x66\x66\xff\xff");  // 0, 0.2, 0.4 and 1 of the range
  const auto matrix = MatrixOf(header + percentiles + Bytes("\x00\x40\xc0\xff\x80"));
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->rows, 5);
  const float wanted[] = {1.0f, 1.4f, 1.8f, 3.0f, 1.6f};
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(matrix->values[i], wanted[i], 1e-6) << i;
}

// min = 1, range = 2; one code a value, row by row: the ends of its scale and two places within.
TEST(ArchiveReader, ReadsLinearCompression) {
  const std::string header = Bytes("\x00\x00\x80\x3f\x00\x00\x00\x40\2\0\0\0\2\0\0\0");
  const auto two_bytes = MatrixOf(Bytes("\0BCM2 ") + header + Bytes("\x00\x00\xff\xff\x33\x33\x01\x00"));
  const auto one_byte = MatrixOf(Bytes("\0BCM3 ") + header + Bytes("\x00\xff\x33\x01"));
  ASSERT_TRUE(two_bytes.ok() && one_byte.ok()) << two_bytes.status() << one_byte.status();
  const float wanted_of_two[] = {1.0f, 3.0f, 1.4f, 1.0f + 2.0f / 65535};
  const float wanted_of_one[] = {1.0f, 3.0f, 1.4f, 1.0f + 2.0f / 255};
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(two_bytes->values[i], wanted_of_two[i], 1e-6) << i;
    EXPECT_NEAR(one_byte->values[i], wanted_of_one[i], 1e-6) << i;
  }
}

TEST(ArchiveReader, ReadsTextForms) {
  const auto matrix = MatrixOf(" [\n  1 2.5\n  -3e2 nan ]\n");
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->rows, 2);
  EXPECT_EQ(matrix->cols, 2);
  EXPECT_FLOAT_EQ(matrix->values[2], -300);
  EXPECT_TRUE(std::isnan(matrix->values[3]));
  EXPECT_THAT(*IntVectorOf("3 1  4\n"), ElementsAre(3, 1, 4));
  EXPECT_THAT(*IntVectorOf("\n"), ElementsAre());

  ArchiveReader reader = FromBytes("a 1 2\nb\nc [ 1 ]\n");
  std::string key;
  std::vector<int32_t> values;
  ASSERT_TRUE(*reader.NextKey(&key));
  ASSERT_TRUE(reader.ReadIntVector(&values).ok());
  EXPECT_THAT(values, ElementsAre(1, 2));
  ASSERT_TRUE(*reader.NextKey(&key));
  EXPECT_EQ(key, "b");
  ASSERT_TRUE(reader.ReadIntVector(&values).ok());
  EXPECT_THAT(values, ElementsAre());
  ASSERT_TRUE(*reader.NextKey(&key));
  EXPECT_EQ(key, "c");
}

TEST(ArchiveReader, ATextVectorWithoutItsLineEndIsReadAndTold) {
  for (const auto& [archive, lacks] : {std::pair("a 1 22", true), std::pair("a 1 22 ", true),
                                       std::pair("a 1 22\n", false), std::pair("a 1 22\n\n", false)}) {
    ArchiveReader reader = FromBytes(archive);
    std::string key;
    std::vector<int32_t> values;
    ASSERT_TRUE(*reader.NextKey(&key));
    ASSERT_TRUE(reader.ReadIntVector(&values).ok()) << archive;
    EXPECT_THAT(values, ElementsAre(1, 22));
    EXPECT_FALSE(*reader.NextKey(&key));
    EXPECT_EQ(reader.lacks_line_end(), lacks) << archive;
  }
}

TEST(ArchiveReader, SaysWhenAMatrixHasMoreValuesThanOneMayHave) {
  // 2^28 values and some, as a file of a gigabyte could hold.
  const std::string path = ::testing::TempDir() + "large.ark";
  std::ofstream(path, std::ios::binary) << Bytes("a \0BFM \4\0\0\0\x01\4\x11\0\0\0");
  std::filesystem::resize_file(path, int64_t{1200} << 20);  // sparse
  auto reader = ArchiveReader::Open(path);
  ASSERT_TRUE(reader.ok());
  std::string key;
  FloatMatrix matrix;
  ASSERT_TRUE(*(*reader)->NextKey(&key));
  EXPECT_THAT((*reader)->ReadMatrix(&matrix).ToString(),
              HasSubstr("16777216 rows and 17 columns, want at most"));
  std::filesystem::remove(path);
}

TEST(ArchiveReader, WhatIsOfAnotherTypeIsMislabelled) {
  EXPECT_THAT(MatrixOf(kVectorObject).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"),
                    HasSubstr("mem.ark: byte 2: an int32 vector, want a float matrix")));
  EXPECT_THAT(IntVectorOf(kMatrixObject).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("byte 2: object begins with byte 70, want 4")));
  EXPECT_THAT(MatrixOf(Bytes("\0BFV \4\1\0\0\0\0\0\0\0")).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("object type \"FV\"")));
  EXPECT_EQ(MatrixOf("3 1 4\n").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(IntVectorOf(" [ 1 2 ]\n").status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(IntVectorOf("3 1.5\n").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("byte 2: \"1.5\"")));
  EXPECT_EQ(MatrixOf(Bytes("\0X")).status().code(), StatusCode::kInvalidArgument);
  std::string key;
  EXPECT_EQ(FromBytes(Bytes("RIFF\x24\0\0\0WAVEfmt ")).NextKey(&key).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(FromBytes(std::string(10'000, 'x')).NextKey(&key).status().code(), StatusCode::kInvalidArgument);
}

TEST(ArchiveReader, SizesAreHeldAgainstTheFileBeforeMemoryIsAllocated) {
  const std::string huge = Bytes("\xff\xff\xff\x7f");
  for (const std::string token : {"FM ", "DM "}) {
    const std::string object = absl::StrCat(Bytes("\0B"), token, "\4", huge, "\4", huge, "1234");
    EXPECT_THAT(
        MatrixOf(object).status().ToString(),
        AllOf(HasSubstr("DATA_LOSS"), HasSubstr("byte 5: matrix of 2147483647 rows and 2147483647 columns"),
              HasSubstr("at most 4 bytes follow")));
  }
  for (const std::string token : {"CM ", "CM2 ", "CM3 "}) {
    const std::string object = absl::StrCat(Bytes("\0B"), token, "minirang", huge, huge, "1234");
    EXPECT_THAT(MatrixOf(object).status().ToString(), AllOf(HasSubstr("DATA_LOSS"), HasSubstr("follow")));
  }
  EXPECT_THAT(IntVectorOf(Bytes("\0B\4") + huge + "1234").status().ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("int32 vector of 2147483647 elements")));
  EXPECT_EQ(IntVectorOf(Bytes("\0B\4\xff\xff\xff\xff")).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(MatrixOf(Bytes("\0BFM \4\xff\xff\xff\xff\4\1\0\0\0")).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(MatrixOf(Bytes("\0BFM \4\0\0\0\0\4\1\0\0\0")).status().code(), StatusCode::kDataLoss);
}

TEST(ArchiveReader, CorruptInsidesAreNamedByTheirPlace) {
  std::string vector = kVectorObject;
  vector[12] = 8;  // the size byte of element 1
  EXPECT_THAT(IntVectorOf(vector).status().ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("byte 12: size byte 8 of element 1, want 4")));
  EXPECT_THAT(MatrixOf("[ 1 2\n3 ]").status().ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("byte 6: row 2 of the matrix has 1 values, want 2")));
  EXPECT_THAT(MatrixOf("[ 1 2x ]").status().ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("byte 4: \"2x\"")));
}

// Reads to the end; `entries` counts the entries that were read whole.
absl::Status ReadAll(std::string archive, bool ints, int* entries) {
  ArchiveReader reader = FromBytes(std::move(archive));
  std::string key;
  std::vector<int32_t> values;
  FloatMatrix matrix;
  for (*entries = 0;; ++*entries) {
    const absl::StatusOr<bool> more = reader.NextKey(&key);
    if (!more.ok() || !*more) return more.status();
    const absl::Status status = ints ? reader.ReadIntVector(&values) : reader.ReadMatrix(&matrix);
    if (!status.ok()) return status;
  }
}

TEST(ArchiveReader, AnArchiveCutAnywhereButBetweenEntriesIsDataLoss) {
  struct Case {
    std::string first, second;
    bool ints;
  };
  for (const Case& c : {Case{"a " + kVectorObject, "b " + kVectorObject, true},
                        Case{"a " + kMatrixObject, "b " + kMatrixObject, false},
                        Case{"a 1 2\n", "b 3\n", true}, Case{"a  [\n  1 2 ]\n", "b  [\n  3 4 ]\n", false}}) {
    const std::string archive = c.first + c.second;
    int entries = 0;
    ASSERT_TRUE(ReadAll(archive, c.ints, &entries).ok());
    ASSERT_EQ(entries, 2);
    for (size_t size = 1; size < archive.size(); ++size) {
      const absl::Status status = ReadAll(archive.substr(0, size), c.ints, &entries);
      // The line end behind a text matrix is not part of it.
      const bool seam =
          size == c.first.size() ||
          (c.first.back() == '\n' && !c.ints && (size + 1 == c.first.size() || size + 1 == archive.size()));
      // The last number of a text vector may stand at the end of the file.
      const size_t line = archive.rfind('\n', size - 1) + 1;  // npos + 1: 0
      const bool no_line_end =
          c.ints && c.first.back() == '\n' &&
          archive.substr(line, size - line).find_first_of("0123456789") != std::string::npos;
      EXPECT_EQ(status.code(), seam || no_line_end ? StatusCode::kOk : StatusCode::kDataLoss)
          << archive << size << status;
    }
  }
}

// Archives that Kaldi wrote of one matrix, in every format; the one in text has the numbers to expect.
class KaldiReference : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = FindTestData("kaldi") + "/";
    if (folder_ == "/") GTEST_SKIP() << "Kaldi's reference archives (kaldi/kio_test*.ark) are not there";
  }

  FloatMatrix Read(const std::string& name) {
    auto reader = ArchiveReader::Open(folder_ + name);
    EXPECT_TRUE(reader.ok()) << reader.status();
    std::string key;
    FloatMatrix matrix;
    EXPECT_TRUE(*(*reader)->NextKey(&key));
    EXPECT_EQ(key, "test0");
    const absl::Status status = (*reader)->ReadMatrix(&matrix);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(matrix.rows, 10);
    EXPECT_EQ(matrix.cols, 20);
    return matrix;
  }

  void ExpectNear(const std::string& name, float tolerance) {
    const FloatMatrix wanted = Read("kio_test.ark");
    const FloatMatrix seen = Read(name);
    ASSERT_EQ(seen.values.size(), wanted.values.size());
    for (size_t i = 0; i < wanted.values.size(); ++i) {
      EXPECT_NEAR(seen.values[i], wanted.values[i], tolerance) << name << " " << i;
    }
  }

  std::string folder_;
};

TEST_F(KaldiReference, FloatsAreExact) {
  const FloatMatrix matrix = Read("kio_test.ark");
  const std::string file = Slurp(folder_ + "kio_test.ark");
  const size_t header = 6 + 5 + 10;
  const auto* const bytes = reinterpret_cast<const char*>(matrix.values.data());
  EXPECT_EQ(std::memcmp(bytes, file.data() + header, 800), 0);
}

TEST_F(KaldiReference, TextAgrees) { ExpectNear("kio_test.text.ark", 1e-6); }
TEST_F(KaldiReference, PerColumnCompressionAgrees) { ExpectNear("kio_test.cm1.ark", 0.02); }
TEST_F(KaldiReference, TwoByteCompressionAgrees) { ExpectNear("kio_test.cm3.ark", 5e-5); }
TEST_F(KaldiReference, OneByteCompressionAgrees) { ExpectNear("kio_test.cm5.ark", 0.02); }

TEST_F(KaldiReference, CutAnywhereIsDataLoss) {
  for (const std::string name :
       {"kio_test.ark", "kio_test.cm1.ark", "kio_test.cm3.ark", "kio_test.cm5.ark"}) {
    // The file holds more than one matrix; each cut falls into the first.
    const std::string whole = Slurp(folder_ + name);
    for (size_t size = 8; size < 200; ++size) {
      FloatMatrix matrix;
      ArchiveReader reader = FromBytes(whole.substr(0, size));
      std::string key;
      ASSERT_TRUE(reader.NextKey(&key).ok());
      EXPECT_EQ(reader.ReadMatrix(&matrix).code(), StatusCode::kDataLoss) << name << " " << size;
    }
  }
}

}  // namespace
}  // namespace downpour
