// Where on the data's way: a run at rest; its folder opened, resumed and refused, and what is told before it
// is on disk.
#include "server/coordinator/run_folder.h"

#include <algorithm>
#include <filesystem>

#include "common/file/file.h"
#include "server/coordinator/coordinator_checkpointer.h"
#include "server/coordinator/evaluation_line.h"
#include "server/storage/checkpoint_file.h"
#include "server/storage/run_files.h"
#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

class RunFolderTest : public ::testing::Test {
 protected:
  RunFolderTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(checkpoints_);
  }

  absl::StatusOr<RunFolder> Open(LostCheckpoint lost = LostCheckpoint::kRefused) {
    return RunFolder::Open(folder_, description_, Clock::Real(), {.lost = lost});
  }

  // Runs to 20 updates, evaluated, and returns the run's id.
  std::string Run20Updates() {
    RunFolder run = Open().value();
    Coordinator& coordinator = run.coordinator();
    coordinator.Join(SmallJoin("host")).IgnoreError();
    for (int shard = 0; shard < 2; ++shard) EXPECT_TRUE(coordinator.RegisterShard({}).ok());
    FakeReplica replica(coordinator.Join(SmallJoin("host")).value());
    EXPECT_TRUE(replica.Push(20).Report(coordinator).ok());
    EXPECT_EQ(coordinator.NextEvaluation({})->directive(), NextEvaluationReply::EVALUATE);
    EvaluationResult result;
    result.set_updates(20);
    result.mutable_test()->set_frames(1);
    EXPECT_TRUE(coordinator.RecordEvaluation(result).ok());
    EXPECT_TRUE(run.CheckpointNow().ok());
    return coordinator.run_id();
  }

  const std::string folder_ = ::testing::TempDir() + "/run_folder_test_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string checkpoints_ = folder_ + "/checkpoints";
  RunDescription description_ = SmallRun();
};

// A run of one update, all evaluated, whose checkpoints come at the test's word only.
class UncheckpointedEndTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    RunDescription description = SmallRun();
    description.mutable_budget()->set_updates(1);
    Coordinator::Options options = OptionsFor(description);
    options.checkpointed = true;
    coordinator = Coordinator::Create(options).value();
    coordinator->Join(SmallJoin("host")).IgnoreError();
    for (int shard = 0; shard < 2; ++shard) ASSERT_TRUE(coordinator->RegisterShard({}).ok());
  }
};

TEST_F(UncheckpointedEndTest, NobodyIsToldToStopBeforeTheEndIsOnDisk) {
  FakeReplica replica = Join();
  EXPECT_EQ(replica.Push(1).Report(*coordinator).value().directive(), ReportReply::WAIT);
  coordinator->CheckpointWritten(coordinator->Checkpoint());
  EXPECT_EQ(replica.Report(*coordinator).value().directive(), ReportReply::STOP);

  EvaluationResult result;
  result.set_updates(1);
  result.mutable_test()->set_frames(1);
  EXPECT_EQ(coordinator->NextEvaluation({})->directive(), NextEvaluationReply::EVALUATE);
  ASSERT_TRUE(coordinator->RecordEvaluation(result).ok());
  EXPECT_EQ(coordinator->NextEvaluation({})->directive(), NextEvaluationReply::WAIT);
  EXPECT_EQ(Status().phase(), RunStatus::TRAINING);
  coordinator->CheckpointWritten(coordinator->Checkpoint());
  EXPECT_EQ(coordinator->NextEvaluation({})->directive(), NextEvaluationReply::STOP);
  EXPECT_EQ(Status().phase(), RunStatus::FINISHED);
}

TEST_F(RunFolderTest, AnotherKindOfRunIsRefusedAndKept) {
  const std::string csv = folder_ + "/frame_accuracy.csv";
  const EvaluationRecord empty;
  const std::string lines = FrameAccuracyHeader() + FrameAccuracyLine(empty);
  ASSERT_TRUE(ReplaceFile(csv, {lines}).ok());
  EXPECT_THAT(Open(), FailsWith(absl::StatusCode::kFailedPrecondition, "frame_accuracy.csv"));
  EXPECT_EQ(ReadFile(csv).value(), lines);
  ASSERT_TRUE(ReplaceFile(checkpoints_ + "/cluster.ckpt", {"x"}).ok());
  EXPECT_THAT(Open(), FailsWith(absl::StatusCode::kFailedPrecondition, "cluster.ckpt"));
  EXPECT_EQ(ReadFile(csv).value(), lines);
}

TEST_F(RunFolderTest, ARunWhoseCheckpointIsGoneIsRefusedAndKept) {
  const std::string csv = folder_ + "/frame_accuracy.csv", run_id = Run20Updates();
  const std::string lines = ReadFile(csv).value();
  std::filesystem::remove_all(checkpoints_);
  for (const std::string seen : {"coordinator.ckpt", "--restart", "--from_log", run_id.c_str()})
    EXPECT_THAT(Open(), FailsWith(absl::StatusCode::kFailedPrecondition, seen));
  EXPECT_EQ(ReadFile(csv).value(), lines);
  ASSERT_TRUE(RemoveRun(folder_).ok());
  EXPECT_NE(Open()->coordinator().run_id(), run_id) << "the shards of the old run must not join the new one";
}

TEST_F(RunFolderTest, ALostCheckpointOfTheCoordinatorDoesNotOrphanTheShards) {
  const std::string run_id = Run20Updates();
  for (const char* damage : {"missing", "damaged"}) {
    const std::string path = checkpoints_ + "/coordinator.ckpt";
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".previous");
    if (damage[0] == 'd') {
      ASSERT_TRUE(ReplaceFile(path, {"x"}).ok());
      EXPECT_THAT(Open(), FailsWith(absl::StatusCode::kDataLoss, "--from_log"));
    }
    auto run = Open(LostCheckpoint::kFromLog);
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(run->coordinator().run_id(), run_id) << damage;
    EXPECT_EQ(run->coordinator().GetRunStatus({})->updates(), 20);
  }
  const std::string csv = ReadFile(folder_ + "/frame_accuracy.csv").value();
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 2) << csv;
}

TEST_F(RunFolderTest, APromotedStandbysStateIsWhatIsRecut) {
  Run20Updates();
  CoordinatorCheckpoint checkpoint = LoadCoordinatorCheckpoint(checkpoints_ + "/coordinator.ckpt").value();
  ASSERT_EQ(checkpoint.shards_size(), 2);
  checkpoint.mutable_shards(0)->set_folder(0xa);
  checkpoint.mutable_shards(1)->set_folder(0xb);
  CheckpointFile file;
  ASSERT_TRUE(file.SetHeader(checkpoint).ok());
  ASSERT_TRUE(WriteCheckpointFile(checkpoints_ + "/coordinator.ckpt", file).ok());
  const std::string standbys = folder_ + "/standbys";
  std::filesystem::create_directories(standbys);
  ASSERT_TRUE(ReplaceFile(standbys + "/.folder", {"b\n"}).ok());
  for (const char* name : {"/shard-0.ckpt", "/shard-1.ckpt"}) {
    ASSERT_TRUE(ReplaceFile(checkpoints_ + name, {"a primary's"}).ok());
    ASSERT_TRUE(ReplaceFile(standbys + name, {"a standby's"}).ok());
  }
  description_.mutable_cluster()->set_shards(3);
  ASSERT_TRUE(RunFolder::Open(folder_, description_, Clock::Real(), {.reshard = true}).ok());
  EXPECT_EQ(ReadFile(checkpoints_ + "/shard-0.ckpt").value(), "a primary's");
  EXPECT_EQ(ReadFile(checkpoints_ + "/shard-1.ckpt").value(), "a standby's");
  EXPECT_FALSE(std::filesystem::exists(standbys));
}

TEST_F(RunFolderTest, RefusesWhatOnlyTheSimulatedClusterCanDo) {
  description_.mutable_optimizer()->set_compensation(OptimizerDescription::GAP);
  EXPECT_THAT(Open(),
              FailsWith(absl::StatusCode::kInvalidArgument, "optimizer.compensation is GAP, want NONE"));
}

TEST_F(RunFolderTest, TheWarmStartIsByWhoComesBackAfterARestart) {
  description_.mutable_cluster()->set_shards(1);
  description_.mutable_cluster()->set_warm_start_updates(50);
  JoinReply first, second;
  {
    absl::StatusOr<RunFolder> run = Open();
    ASSERT_TRUE(run.ok()) << run.status();
    run->coordinator().Join(SmallJoin("host")).IgnoreError();
    ASSERT_TRUE(run->coordinator().RegisterShard({}).ok());
    first = run->coordinator().Join(SmallJoin("host")).value();
    second = run->coordinator().Join(SmallJoin("host")).value();
    EXPECT_EQ(FakeReplica(first).Report(run->coordinator())->directive(), ReportReply::CONTINUE);
    EXPECT_EQ(FakeReplica(second).Report(run->coordinator())->directive(), ReportReply::WAIT);
    ASSERT_TRUE(run->CheckpointNow().ok());
  }
  absl::StatusOr<RunFolder> resumed = Open();
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  FakeReplica survivor(second);
  survivor.report.set_report(1);
  EXPECT_EQ(survivor.Report(resumed->coordinator())->directive(), ReportReply::CONTINUE);
}

TEST_F(RunFolderTest, NoIncarnationIsGivenOutAgainThoughTheTimeOfDayIsSetBack) {
  FakeClock clock(absl::FromUnixSeconds(1'000'000));
  description_.mutable_cluster()->set_shards(1);
  uint64_t last = 0;
  for (int start = 0; start < 3; ++start) {
    {
      absl::StatusOr<RunFolder> run = RunFolder::Open(folder_, description_, &clock);
      ASSERT_TRUE(run.ok()) << run.status();
      run->coordinator().Join(SmallJoin("host")).IgnoreError();
      ASSERT_TRUE(run->coordinator().RegisterShard({}).ok());
      // The checkpoint that the next start finds is from before the join.
      std::filesystem::copy_file(checkpoints_ + "/coordinator.ckpt", folder_ + "/old.ckpt",
                                 std::filesystem::copy_options::overwrite_existing);
      const uint64_t incarnation = run->coordinator().Join(SmallJoin("host"))->incarnation();
      EXPECT_GT(incarnation, last);
      last = incarnation;
    }
    std::filesystem::rename(folder_ + "/old.ckpt", checkpoints_ + "/coordinator.ckpt");
    clock.JumpWall(-absl::Hours(1));
  }
}

TEST(CheckpointSchedule, DueAtAMilestoneAndEveryInterval) {
  const absl::Time start = absl::UnixEpoch();
  CheckpointSchedule schedule(start);
  EXPECT_FALSE(schedule.Due(start, ""));
  EXPECT_TRUE(schedule.Due(start, "a replica"));
  schedule.Tried(start, "a replica", /*written=*/true);
  EXPECT_FALSE(schedule.Due(start, "a replica"));
  EXPECT_TRUE(schedule.Due(start, "two replicas"));
  EXPECT_TRUE(schedule.Due(start + CheckpointSchedule::kInterval, "a replica"));
}

TEST(CheckpointSchedule, AFailedOneIsNotTriedAgainAtOnce) {
  const absl::Time start = absl::UnixEpoch();
  CheckpointSchedule schedule(start);
  schedule.Tried(start, "a replica", /*written=*/false);
  const absl::Time next = start + CheckpointSchedule::kInterval;
  EXPECT_FALSE(schedule.Due(next - absl::Milliseconds(1), "a replica"));
  EXPECT_TRUE(schedule.Due(next, "a replica"));
  schedule.Tried(next, "a replica", /*written=*/true);
  EXPECT_TRUE(schedule.Due(next, "two replicas"));
}

}  // namespace
}  // namespace downpour
