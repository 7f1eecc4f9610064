// Where on the data's way: a run at rest; in which order lines and checkpoints reach the disk, and that a
// crash in between costs no line and doubles none.
#include "server/coordinator/coordinator_checkpointer.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/file/file.h"
#include "server/coordinator/evaluation_line.h"
#include "server/coordinator/run_folder.h"
#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

absl::Mutex disk_mutex(absl::kConstInit);
std::vector<std::string> disk_calls;  // under disk_mutex

void Note(absl::string_view call, const std::filesystem::path& path) {
  absl::MutexLock lock(&disk_mutex);
  disk_calls.push_back(absl::StrCat(call, " ", path.filename().string()));
}

int NoteAndSync(long number, int descriptor) {
  std::error_code ignored;
  Note("sync", std::filesystem::read_symlink(absl::StrCat("/proc/self/fd/", descriptor), ignored));
  return static_cast<int>(syscall(number, descriptor));
}

}  // namespace
}  // namespace downpour

// They take the place of the C library's for everything that this program links.
extern "C" int fsync(int descriptor) { return downpour::NoteAndSync(SYS_fsync, descriptor); }
extern "C" int fdatasync(int descriptor) { return downpour::NoteAndSync(SYS_fdatasync, descriptor); }
extern "C" int rename(const char* from, const char* to) noexcept {
  downpour::Note("rename", to);
  return static_cast<int>(syscall(SYS_rename, from, to));
}

namespace downpour {
namespace {

class CoordinatorCheckpointerTest : public ::testing::Test {
 protected:
  CoordinatorCheckpointerTest() {
    std::filesystem::remove_all(folder_);
    description_.mutable_evaluation()->set_every_updates(1);
    description_.mutable_budget()->set_updates(1);
  }

  // The run in its folder, resumed if there is one, with its data and shards known.
  RunFolder Open() {
    RunFolder run = RunFolder::Open(folder_, description_, Clock::Real()).value();
    run.coordinator().Join(SmallJoin("host")).IgnoreError();
    for (int shard = 0; shard < 2; ++shard) {
      RegisterShardRequest request;
      request.set_shard(shard);
      EXPECT_TRUE(run.coordinator().RegisterShard(request).ok());
    }
    return run;
  }

  static void Evaluate(RunFolder& run, int64_t updates) {
    EXPECT_EQ(run.coordinator().NextEvaluation({})->directive(), NextEvaluationReply::EVALUATE);
    EvaluationResult result;
    result.set_updates(updates);
    result.mutable_test()->set_frames(1);
    EXPECT_TRUE(run.coordinator().RecordEvaluation(result).ok());
  }

  // Of frame_accuracy.csv, without its header.
  int64_t Lines() const {
    const std::string csv = ReadFile(folder_ + "/frame_accuracy.csv").value();
    return std::count(csv.begin(), csv.end(), '\n') - 1;
  }

  const std::string folder_ = ::testing::TempDir() + "/coordinator_checkpointer_test_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
  RunDescription description_ = SmallRun();
};

TEST_F(CoordinatorCheckpointerTest, LinesAreOnTheDiskBeforeTheCheckpointThatCountsThem) {
  RunFolder run = Open();
  {
    absl::MutexLock lock(&disk_mutex);
    disk_calls.clear();
  }
  Evaluate(run, 0);
  ASSERT_TRUE(run.CheckpointNow().ok());
  absl::MutexLock lock(&disk_mutex);
  const auto line = std::find(disk_calls.begin(), disk_calls.end(), "sync frame_accuracy.csv");
  EXPECT_NE(std::find(line, disk_calls.end(), "rename coordinator.ckpt"), disk_calls.end());
}

TEST_F(CoordinatorCheckpointerTest, WhoIsToldToStopIsToldSoAgainThoughTheNewestCheckpointIsDamaged) {
  {
    RunFolder run = Open();
    Evaluate(run, 0);
    FakeReplica replica(run.coordinator().Join(SmallJoin("host")).value());
    ASSERT_TRUE(replica.Push(1).Report(run.coordinator()).ok());
    Evaluate(run, 1);
    ASSERT_TRUE(run.CheckpointNow().ok());
    ASSERT_EQ(run.coordinator().NextEvaluation({})->directive(), NextEvaluationReply::STOP);
  }
  ASSERT_TRUE(ReplaceFile(folder_ + "/checkpoints/coordinator.ckpt", {"damaged"}).ok());
  RunFolder run = Open();
  EXPECT_EQ(run.coordinator().NextEvaluation({})->directive(), NextEvaluationReply::STOP);
  EXPECT_EQ(Lines(), 2);
}

TEST_F(CoordinatorCheckpointerTest, ACrashBeforeTheCheckpointOfTheFinalEvaluationDoublesNoLine) {
  const std::string checkpoint = folder_ + "/checkpoints/coordinator.ckpt";
  // A rejected push counts in the budget, not as an update: the final evaluation is of 0 updates, too.
  const auto end = [](RunFolder& run) {
    FakeReplica replica(run.coordinator().Join(SmallJoin("host")).value());
    replica.AddMinibatch().set_pushes_rejected(1);
    ASSERT_TRUE(replica.Report(run.coordinator()).ok());
    Evaluate(run, 0);
    ASSERT_TRUE(run.CheckpointNow().ok());
  };
  {
    RunFolder run = Open();
    Evaluate(run, 0);
    ASSERT_TRUE(run.CheckpointNow().ok());
    std::filesystem::copy_file(checkpoint, folder_ + "/before");
    ASSERT_NO_FATAL_FAILURE(end(run));
  }
  EXPECT_EQ(Lines(), 2);
  std::filesystem::rename(folder_ + "/before", checkpoint);  // as if it had crashed before that checkpoint
  {
    RunFolder run = Open();
    EXPECT_EQ(Lines(), 1);
    ASSERT_NO_FATAL_FAILURE(end(run));
  }
  EXPECT_EQ(Lines(), 2);
}

}  // namespace
}  // namespace downpour
