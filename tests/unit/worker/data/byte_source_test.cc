// Where on the data's way: from a file to the readers; bytes of plain, gzipped and damaged files.
#include "worker/data/byte_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/random.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

std::string Counting(int64_t size) {
  std::string bytes(size, '\0');
  for (int64_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

std::string WritePlain(const std::string& name, const std::string& bytes) {
  const std::string path = ::testing::TempDir() + name;
  std::filesystem::remove(path);  // writing over a file's contents waits for the disk
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string WriteGzip(const std::string& name, const std::string& bytes) {
  const std::string path = ::testing::TempDir() + name;
  gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, bytes.data(), bytes.size()), static_cast<int>(bytes.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  return path;
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class ByteSourceKinds : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<ByteSource> Source(const std::string& bytes) {
    if (GetParam() == "memory") return ByteSource::FromMemory(bytes, "memory");
    auto source =
        ByteSource::Open(GetParam() == "plain" ? WritePlain("bytes", bytes) : WriteGzip("bytes.gz", bytes));
    EXPECT_TRUE(source.ok()) << source.status();
    return *std::move(source);
  }
};

TEST_P(ByteSourceKinds, ReadsSmallAndLargePiecesInOrder) {
  const std::string bytes = Counting(300'000);
  const auto source = Source(bytes);
  std::string seen;
  for (const int64_t size : {1, 3, 70'000, 5, 200'000, 0, 100}) {
    EXPECT_EQ(source->position(), static_cast<int64_t>(seen.size()));
    EXPECT_GE(source->most_left(), static_cast<int64_t>(bytes.size() - seen.size()));
    std::string piece(size, '\0');
    ASSERT_TRUE(source->Read(size, piece.data()).ok());
    seen += piece;
  }
  for (int byte = source->Get(); byte >= 0; byte = source->Get()) seen.push_back(static_cast<char>(byte));
  EXPECT_TRUE(seen == bytes);
  EXPECT_TRUE(source->failure().ok());
}

TEST_P(ByteSourceKinds, SeeksForwardAndBack) {
  const std::string bytes = Counting(300'000);
  const auto source = Source(bytes);
  for (const int64_t at : {299'999, 0, 150'000, 150'001, 149'999, 80'000, 17}) {
    ASSERT_TRUE(source->Seek(at).ok());
    EXPECT_EQ(source->position(), at);
    EXPECT_EQ(source->Get(), static_cast<unsigned char>(bytes[at])) << at;
  }
}

TEST_P(ByteSourceKinds, SaysWhereAndHowMuchWasMissing) {
  const auto source = Source(Counting(10));
  ASSERT_TRUE(source->Seek(4).ok());
  char buffer[20];
  const absl::Status status = source->Read(20, buffer);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("byte 4: truncated, want 20 bytes, the file has 6 more"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ByteSourceKinds, ::testing::Values("memory", "plain", "gzip"),
                         [](const auto& info) { return info.param; });

TEST(ByteSource, RefusesToSeekBeyondAPlainFile) {
  const auto source = ByteSource::Open(WritePlain("short", "abc"));
  ASSERT_TRUE(source.ok());
  EXPECT_TRUE((*source)->Seek(3).ok());
  EXPECT_EQ((*source)->Get(), -1);
  EXPECT_EQ((*source)->Seek(4).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ((*source)->Seek(-1).code(), absl::StatusCode::kDataLoss);
}

TEST(ByteSource, AFileThatIsNotThereIsNotFound) {
  const auto source = ByteSource::Open(::testing::TempDir() + "no-such-file");
  EXPECT_EQ(source.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(source.status().message(), HasSubstr("no-such-file: No such file"));
  EXPECT_EQ(ByteSource::Open(::testing::TempDir()).status().code(), absl::StatusCode::kUnavailable);
}

TEST_P(ByteSourceKinds, ReadsVectorsInOneGo) {
  const std::string bytes = Counting(3'000'000);
  const auto source = Source(bytes);
  std::vector<int32_t> values = {1, 2, 3};
  ASSERT_TRUE(source->ReadVector(700'000, &values).ok());
  EXPECT_EQ(source->position(), 2'800'000);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(values.data()), 2'800'000), bytes.substr(0, 2'800'000));
  EXPECT_THAT(source->ReadVector(70'000, &values).message(),
              HasSubstr("byte 2800000: truncated, want 280000 bytes, the file has 200000 more"));
}

TEST(ByteSource, AGzippedFileGetsNoMoreMemoryThanItHasBytesFor) {
  Random random(1);
  std::string noise(10'000, '\0');  // which gzip cannot make smaller
  for (char& byte : noise) byte = static_cast<char>(random.Next());
  const auto source = ByteSource::Open(WriteGzip("promise.gz", noise));
  ASSERT_TRUE(source.ok());
  std::vector<char> values;
  const int64_t promised = (*source)->most_left();
  ASSERT_GT(promised, 4 << 20);
  EXPECT_EQ((*source)->ReadVector(promised, &values).code(), absl::StatusCode::kDataLoss);
  EXPECT_LE(values.capacity(), size_t{1} << 20);
}

TEST(ByteSource, AGzipStreamCutAnywhereIsDataLoss) {
  const std::string whole = Slurp(WriteGzip("whole.gz", Counting(500)));
  for (size_t size = 18; size < whole.size(); ++size) {
    const std::string path = WritePlain("cut.gz", whole.substr(0, size));
    const auto source = ByteSource::Open(path);
    ASSERT_TRUE(source.ok());
    while ((*source)->Get() >= 0) {
    }
    EXPECT_EQ((*source)->failure().code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_THAT((*source)->failure().ToString(), HasSubstr(path));
  }
}

TEST(ByteSource, AGzipStreamWithAFlippedBitIsDataLoss) {
  const std::string whole = Slurp(WriteGzip("whole.gz", Counting(500)));
  for (size_t at = 10; at < whole.size(); ++at) {  // behind the header, whose time stamp has no checksum
    std::string flipped = whole;
    flipped[at] ^= 1;
    const auto source = ByteSource::Open(WritePlain("flipped.gz", flipped));
    ASSERT_TRUE(source.ok());
    while ((*source)->Get() >= 0) {
    }
    EXPECT_EQ((*source)->failure().code(), absl::StatusCode::kDataLoss) << at;
  }
}

}  // namespace
}  // namespace downpour
