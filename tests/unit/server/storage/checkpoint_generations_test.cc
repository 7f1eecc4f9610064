// Where on the data's way: parameters at rest; two generations of a checkpoint, of which one may be damaged.
#include <filesystem>
#include <sstream>
#include <string>

#include "common/file/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/checkpoint_file.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CheckpointGenerationsTest : public ::testing::Test {
 protected:
  CheckpointGenerationsTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  absl::Status Write(const std::string& header) const {
    CheckpointFile file;
    file.kind = "K";
    file.header = header;
    return WriteCheckpointFile(path_, file);
  }
  // The header of what is read, or why there is none.
  std::string Read() const {
    const absl::StatusOr<CheckpointFile> file = ReadCheckpointFile(path_, "K");
    return file.ok() ? file->header : file.status().ToString();
  }
  static void Flip(const std::string& path, size_t bit) {
    std::string bytes = ReadFile(path).value();
    bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
    ASSERT_TRUE(ReplaceFile(path, {bytes}).ok());
  }
  int64_t Files() const {
    return std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator());
  }

  const std::string folder_ = ::testing::TempDir() + "/checkpoint_generations_test_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string path_ = folder_ + "/a.ckpt";
  const std::string previous_ = PreviousGeneration(path_);
};

TEST_F(CheckpointGenerationsTest, TheNewestIsUsedAndOnePreviousIsKept) {
  for (const char* header : {"one", "two", "three"}) {
    ASSERT_TRUE(Write(header).ok());
    EXPECT_EQ(Read(), header);
  }
  EXPECT_EQ(ReadCheckpointFile(previous_, "K")->header, "two");
  EXPECT_EQ(Files(), 2);
}

TEST_F(CheckpointGenerationsTest, AnyBitFlippedInTheNewestCostsOneGeneration) {
  for (size_t bit = 0; bit < 8 * 20; bit += 3) {
    ASSERT_TRUE(Write("good").ok());
    ASSERT_TRUE(Write("bad").ok());
    Flip(path_, bit);
    std::ostringstream log;
    spdlog::default_logger()->sinks().push_back(std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
    EXPECT_EQ(Read(), "good") << bit;
    spdlog::default_logger()->sinks().pop_back();
    EXPECT_THAT(log.str(), AllOf(HasSubstr("a.ckpt: byte"), HasSubstr("generation before it is used")));
  }
}

TEST_F(CheckpointGenerationsTest, ADamagedNewestDoesNotPushOutTheGoodOneBeforeIt) {
  ASSERT_TRUE(Write("good").ok());
  ASSERT_TRUE(Write("bad").ok());
  Flip(path_, 100);
  EXPECT_EQ(Read(), "good");
  ASSERT_TRUE(Write("next").ok());
  Flip(path_, 100);
  EXPECT_EQ(Read(), "good");
}

TEST_F(CheckpointGenerationsTest, AMissingNewestIsAsADamagedOne) {
  ASSERT_TRUE(Write("good").ok());
  ASSERT_TRUE(Write("lost").ok());
  std::filesystem::remove(path_);
  EXPECT_TRUE(CheckpointExists(path_));
  EXPECT_EQ(Read(), "good");
  std::filesystem::remove(previous_);
  EXPECT_FALSE(CheckpointExists(path_));
  EXPECT_THAT(Read(), HasSubstr("NOT_FOUND"));
}

TEST_F(CheckpointGenerationsTest, WhereBothAreDamagedBothAreNamed) {
  ASSERT_TRUE(Write("one").ok());
  ASSERT_TRUE(Write("two").ok());
  Flip(path_, 100);
  Flip(previous_, 100);
  EXPECT_THAT(Read(), AllOf(HasSubstr("DATA_LOSS"), HasSubstr(path_ + ": "), HasSubstr(previous_ + ": ")));
  EXPECT_EQ(Files(), 2) << "nothing is renamed for nothing";
}

TEST_F(CheckpointGenerationsTest, AFullDiskLeavesBoth) {
  ASSERT_TRUE(Write("one").ok());
  ASSERT_TRUE(Write("two").ok());
  std::filesystem::create_symlink("/dev/full", path_ + ".partial");
  EXPECT_TRUE(absl::IsResourceExhausted(Write("three")));
  EXPECT_EQ(Read(), "two");
  EXPECT_EQ(ReadCheckpointFile(previous_, "K")->header, "one");
  EXPECT_EQ(Files(), 2);
}

}  // namespace
}  // namespace downpour
