// Where on the data's way: parameters at rest; the container's bytes, broken ones, and a full disk.
#include "server/storage/checkpoint_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "common/file/crc32c.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

// The worked example of checkpoint_file.h.
const absl::string_view kExample(
    "DPCKPT01"
    "\x02\0\0\0\0\0\0\0\x10\x07"
    "\x01\0\0\0K"
    "\x01\0\0\0"
    "\x01\0\0\0x"
    "\x04\0\0\0\0\0\0\0\0\0\x80\x3f"
    "\xfe\x77\xd0\x40",
    48);

CheckpointFile Example() {
  static const float one = 1;
  return {.kind = "K",
          .header = "\x10\x07",
          .sections = {{"x", {reinterpret_cast<const char*>(&one), sizeof(one)}}},
          .storage = nullptr};
}

std::string TestPath(const std::string& name) {
  const std::string directory = ::testing::TempDir() + "/checkpoint_file_test." + std::to_string(getpid());
  std::filesystem::create_directories(directory);
  return directory + "/" + name;
}

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void ExpectLost(std::string bytes, const std::string& message) {
  const auto parsed = ParseCheckpoint(std::move(bytes), "K", "a.ckpt");
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(message));
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("a.ckpt"));
}

TEST(CheckpointFile, WritesTheBytesOfTheDocumentedExample) {
  const std::string path = TestPath("example.ckpt");
  ASSERT_TRUE(WriteCheckpointFile(path, Example()).ok());
  EXPECT_EQ(BytesOf(path), std::string(kExample));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST(CheckpointFile, ReadsTheDocumentedExample) {
  const std::string path = TestPath("example.ckpt");
  std::ofstream(path, std::ios::binary).write(kExample.data(), kExample.size());
  auto file = ReadCheckpointFile(path, "K");
  ASSERT_TRUE(file.ok()) << file.status();
  const CheckpointFile copy = *file;
  file = absl::UnknownError("gone");  // a copy keeps the bytes that its sections refer to
  EXPECT_EQ(copy.header, "\x10\x07");
  ASSERT_EQ(copy.sections.size(), 1);
  EXPECT_EQ(std::string(*copy.Find("x")), std::string("\0\0\x80\x3f", 4));
  EXPECT_EQ(copy.Find("y").status().code(), absl::StatusCode::kDataLoss);
}

TEST(CheckpointFile, HoldsEmptyAndManySections) {
  const std::string data(100000, 'd');
  CheckpointFile file{.kind = "K", .header = "", .sections = {}, .storage = nullptr};
  for (int i = 0; i < 50; ++i)
    file.sections.push_back({std::string(i, 's'), absl::string_view(data).substr(0, 2000 * i)});
  const std::string path = TestPath("many.ckpt");
  ASSERT_TRUE(WriteCheckpointFile(path, file).ok());
  const auto read = ReadCheckpointFile(path, "K");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->sections.size(), file.sections.size());
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(read->sections[i].name, file.sections[i].name);
    EXPECT_EQ(read->sections[i].data, file.sections[i].data);
  }
}

TEST(CheckpointFile, TruncatedAtAnyLengthIsLost) {
  for (size_t length = 0; length < kExample.size(); ++length)
    ExpectLost(std::string(kExample.substr(0, length)), "byte");
  ExpectLost(std::string(kExample.substr(0, 40)), "byte 40: 0 bytes left, want 4 of section 0 of 1");
}

TEST(CheckpointFile, AnyBitFlippedIsLost) {
  for (size_t bit = 0; bit < 8 * kExample.size(); ++bit) {
    std::string bytes(kExample);
    bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
    ExpectLost(bytes, "byte");
  }
  std::string bytes(kExample);
  bytes[42] ^= 1;
  ExpectLost(bytes, "byte 48: CRC-32C is 40d077fe, want");
}

// With a checksum that fits, so that only the lengths can give it away.
TEST(CheckpointFile, HostileLengthsAreLost) {
  for (size_t offset : {0x08, 0x12, 0x17, 0x1b, 0x20}) {
    for (uint64_t length :
         {uint64_t{5}, uint64_t{40}, uint64_t{0x7fffffff}, uint64_t{0xffffffff}, ~uint64_t{0}}) {
      std::string bytes(kExample.substr(0, kExample.size() - 4));
      const size_t width = offset == 0x08 || offset == 0x20 ? 8 : 4;
      std::memcpy(&bytes[offset], &length, width);
      const uint32_t crc = Crc32c(bytes);
      bytes.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
      ExpectLost(bytes, "byte");
    }
  }
}

TEST(CheckpointFile, SaysWhatItSawAndWhatItWanted) {
  ExpectLost("PK\x03\x04", "a.ckpt: byte 0: not a checkpoint: starts with 'PK\\x03\\x04', want 'DPCKPT01'");
  ExpectLost(std::string(kExample) + "more", "8 bytes left, want 4");
  const auto other = ParseCheckpoint(std::string(kExample), "downpour.ShardCheckpoint", "a.ckpt");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(other.status().message()),
              HasSubstr("is a 'K', want a 'downpour.ShardCheckpoint'"));
}

TEST(CheckpointFile, MissingFileAndDirectory) {
  EXPECT_EQ(ReadCheckpointFile(TestPath("none"), "K").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadCheckpointFile(TestPath(""), "K").status().code(), absl::StatusCode::kUnavailable);
  const absl::Status status = WriteCheckpointFile(TestPath("no/such/directory"), Example());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("No such file or directory"));
}

TEST(CheckpointFile, AFullDiskLeavesTheOldFile) {
  const std::string path = TestPath("full.ckpt");
  ASSERT_TRUE(WriteCheckpointFile(path, Example()).ok());
  std::filesystem::create_symlink("/dev/full", path + ".partial");  // where it writes to first
  CheckpointFile larger = Example();
  larger.header = "other";
  const absl::Status status = WriteCheckpointFile(path, larger);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("full.ckpt.partial: No space left on device"));
  EXPECT_EQ(BytesOf(path), std::string(kExample));
  EXPECT_FALSE(std::filesystem::is_symlink(path + ".partial"));
}

// Runs in a child process, for the limit is the process's.
void WriteOverTheLimit(const std::string& path) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 1 << 16, .rlim_max = 1 << 16};
  setrlimit(RLIMIT_FSIZE, &limit);
  const std::string data(1 << 20, 'd');
  CheckpointFile file = Example();
  file.sections.push_back({"data", data});
  _exit(static_cast<int>(WriteCheckpointFile(path, file).code()));
}

TEST(CheckpointFile, AWriteCutShortLeavesTheOldFile) {
  const std::string path = TestPath("limit.ckpt");
  ASSERT_TRUE(WriteCheckpointFile(path, Example()).ok());
  EXPECT_EXIT(WriteOverTheLimit(path),
              ::testing::ExitedWithCode(static_cast<int>(absl::StatusCode::kResourceExhausted)), "");
  EXPECT_EQ(BytesOf(path), std::string(kExample));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST(CheckpointFile, FloatsOfASectionNoneIncluded) {
  CheckpointFile file;
  const std::vector<float> values = {1, -2.5f};
  file.AddFloats("some", values);
  file.AddFloats("none", {});
  file.sections.push_back({"part", "123456"});
  EXPECT_EQ(*file.Floats("some"), values);
  EXPECT_TRUE(file.Floats("none")->empty());
  EXPECT_EQ(file.Floats("part").status().code(), absl::StatusCode::kDataLoss);
}

// A message of more bytes than protobuf serialises, which needs no memory.
class HugeMessage final : public google::protobuf::MessageLite {
 public:
  std::string GetTypeName() const override { return "Huge"; }
  MessageLite* New(google::protobuf::Arena*) const override { return new HugeMessage; }
  void Clear() override {}
  bool IsInitialized() const override { return true; }
  void CheckTypeAndMergeFrom(const MessageLite&) override {}
  size_t ByteSizeLong() const override { return size_t{3} << 30; }
  int GetCachedSize() const override { return 0; }
  uint8_t* _InternalSerialize(uint8_t* target, google::protobuf::io::EpsCopyOutputStream*) const override {
    return target;
  }
};

TEST(CheckpointFile, AMessageThatCannotBeSerialisedIsNoHeader) {
  CheckpointFile file = Example();
  const absl::Status refused = file.SetHeader(HugeMessage());
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("a Huge of 3221225472 bytes, want at most"));
  EXPECT_EQ(file.header, Example().header);
  EXPECT_EQ(file.kind, "K");
}

}  // namespace
}  // namespace downpour
