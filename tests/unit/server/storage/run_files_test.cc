// Where on the data's way: the run folder at rest; a run that has lost its checkpoint is told from none.
#include "server/storage/run_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/file/file.h"
#include "server/storage/folder_lock.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RunFilesTest : public ::testing::Test {
 protected:
  RunFilesTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/checkpoints");
  }
  void Touch(const std::string& name) const { ASSERT_TRUE(ReplaceFile(folder_ + "/" + name, {"x"}).ok()); }
  bool Exists(const std::string& name) const { return std::filesystem::exists(folder_ + "/" + name); }

  const std::string folder_ = ::testing::TempDir() + "/run_files_test_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(RunFilesTest, TheIdIsReadAsItWasRecorded) {
  EXPECT_TRUE(absl::IsNotFound(ReadRunId(folder_).status()));
  ASSERT_TRUE(RecordRunId(folder_, "run-1").ok());
  EXPECT_EQ(ReadRunId(folder_).value(), "run-1");
  ASSERT_TRUE(RecordRunId(folder_, "run-2").ok());
  EXPECT_EQ(ReadRunId(folder_).value(), "run-2");
}

// Messages refuse what is no UTF-8 (proto3), the file run_id is a line, and requests have bounds.
TEST(RunIdStem, IsOneShortLineOfUtf8) {
  EXPECT_EQ(RunIdStem("speech é"), "speech é");
  EXPECT_EQ(RunIdStem(" a\nb \xFF "), "a\\nb \\xff");
  EXPECT_EQ(RunIdStem(std::string(1000, '\xFF')).size(), 4u * 48);
}

TEST_F(RunFilesTest, ARunIsLostIfItsCheckpointIsMissingAndAnythingElseOfItIsThere) {
  EXPECT_EQ(CheckNoRunIsLost(folder_ + "/none", "cluster.ckpt"), absl::OkStatus());
  Touch("frame_accuracy.csv");  // of a run that crashed before its first checkpoint
  EXPECT_EQ(CheckNoRunIsLost(folder_, "cluster.ckpt"), absl::OkStatus());
  ASSERT_TRUE(RecordRunId(folder_, "run-1").ok());
  Touch("checkpoints/shard-3.ckpt");
  const absl::Status lost = CheckNoRunIsLost(folder_, "cluster.ckpt");
  EXPECT_EQ(lost.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(lost.message()),
              AllOf(HasSubstr("the run_id 'run-1', shard-3.ckpt"),
                    HasSubstr("not its checkpoints/cluster.ckpt"), HasSubstr("--restart")));
  Touch("checkpoints/cluster.ckpt");
  EXPECT_EQ(CheckNoRunIsLost(folder_, "cluster.ckpt"), absl::OkStatus());
}

TEST_F(RunFilesTest, OnlyWhatARunWritesIsRemoved) {
  ASSERT_TRUE(RecordRunId(folder_, "run-1").ok());
  std::filesystem::create_directories(folder_ + "/standbys");
  for (const char* name :
       {"mine.txt", "run.textproto", "frame_accuracy.csv", "events.out.tfevents.1.downpour",
        "checkpoints/cluster.ckpt", "standbys/shard-0.ckpt"})
    Touch(name);
  {
    const auto lock = FolderLock::Acquire(folder_ + "/checkpoints");
    ASSERT_TRUE(lock.ok());
    EXPECT_TRUE(absl::IsAborted(RemoveRun(folder_)));
    EXPECT_TRUE(Exists("run_id"));
  }
  EXPECT_EQ(RemoveRun(folder_), absl::OkStatus());
  EXPECT_TRUE(Exists("mine.txt"));
  for (const char* name : {"run_id", "run.textproto", "frame_accuracy.csv", "events.out.tfevents.1.downpour",
                           "checkpoints", "standbys"})
    EXPECT_FALSE(Exists(name)) << name;
  EXPECT_EQ(RemoveRun(folder_ + "/none"), absl::OkStatus());
}

}  // namespace
}  // namespace downpour
