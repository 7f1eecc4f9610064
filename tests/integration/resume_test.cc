// Where on the data's way: guards deploy/in_process/ and its run folder: a run that is stopped and started
// again leaves the log of one whole run.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/coordinator/evaluation_line.h"
#include "server/shard/checkpointer.h"
#include "server/storage/checkpoint_file.h"
#include "tests/testing/training_run.h"

namespace downpour {
namespace {

Curve WithoutWallTime(Curve curve) {
  for (auto& line : curve) line.erase("wall_s");
  return curve;
}

std::string FinalParameters(const std::string& run_dir) {
  const auto file =
      ReadCheckpointFile(run_dir + "/checkpoints/cluster.ckpt", "downpour.VirtualClusterCheckpoint");
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return "";
  return std::string(*file->Find("shard 0/parameters")) + std::string(*file->Find("shard 1/parameters"));
}

// The lines of samples.csv: each shard's come in the order of its updates.
std::multiset<std::string> Samples(const std::string& run_dir) {
  std::ifstream file(run_dir + "/samples.csv");
  std::multiset<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.insert(line);
  return lines;
}

RunDescription TwoMinibatchesAPush() {
  RunDescription description = SyntheticRun();
  description.mutable_budget()->set_updates(300);
  description.mutable_cluster()->set_n_push(2);
  description.mutable_sampling()->set_every_updates(10);
  description.mutable_sampling()->set_elements(3);
  return description;
}

TEST(ResumeTest, InterruptedVirtualRunLeavesTheSameFolderAsAnUninterruptedOne) {
  const std::string whole_dir = FreshRunDir() + "_whole";
  std::filesystem::remove_all(whole_dir);
  ASSERT_TRUE(PrepareAndRun(SyntheticJob(TwoMinibatchesAPush(), whole_dir)).ok());

  TrainingJob job = SyntheticJob(TwoMinibatchesAPush(), FreshRunDir());
  int64_t asked = 0;
  int resumed = 0;
  job.begun = [&](const RunStatus&, bool resumes) { resumed += resumes; };
  job.stopped = [&] { return ++asked % 700 == 0; };
  for (;;) {
    const absl::StatusOr<RunStatus> end = PrepareAndRun(job);
    ASSERT_TRUE(end.ok()) << end.status();
    if (end->phase() == RunStatus::FINISHED) break;
    // As if a crash after the checkpoint had left lines that the resumed run will write again.
    std::ofstream(job.run_dir + "/frame_accuracy.csv", std::ios::app) << "1,1,299,1,1,1,1,1,1,1,1,1,,,,,,,\n";
  }
  EXPECT_GE(resumed, 2);
  EXPECT_EQ(WithoutWallTime(ReadCurve(job.run_dir)), WithoutWallTime(ReadCurve(whole_dir)));
  EXPECT_EQ(FinalParameters(job.run_dir), FinalParameters(whole_dir));
  EXPECT_EQ(Samples(job.run_dir), Samples(whole_dir));
  EXPECT_EQ(Samples(whole_dir).size(), 1 + 30 * 6) << "the columns, and 3 elements of 2 matrices 30 times";
}

TEST(ResumeTest, FinishedRunIsLeftAloneAndALargerBudgetGoesOn) {
  TrainingJob job = SyntheticJob(TwoMinibatchesAPush(), FreshRunDir());
  ASSERT_TRUE(PrepareAndRun(job).ok());
  const Curve curve = ReadCurve(job.run_dir);
  RunStatus begun;
  job.begun = [&](const RunStatus& status, bool) { begun = status; };
  ASSERT_TRUE(PrepareAndRun(job).ok());
  EXPECT_EQ(begun.phase(), RunStatus::FINISHED);
  EXPECT_EQ(ReadCurve(job.run_dir), curve);

  job.description.mutable_budget()->set_updates(350);
  ASSERT_TRUE(PrepareAndRun(job).ok());
  EXPECT_EQ(ReadCurve(job.run_dir).back().at("updates"), "350");
}

TEST(ResumeTest, FolderOfAnotherRunIsRefusedUnlessRestarted) {
  TrainingJob job = SyntheticJob(TwoMinibatchesAPush(), FreshRunDir());
  ASSERT_TRUE(PrepareAndRun(job).ok());
  job.description.mutable_optimizer()->set_kind(OptimizerDescription::ADAGRAD);
  const absl::Status refused = PrepareAndRun(job).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              ::testing::AllOf(::testing::HasSubstr("optimizer.kind"), ::testing::HasSubstr("--restart")));
  ASSERT_EQ(PrepareRunFolder(job.run_dir, job.description, /*restart=*/true), absl::OkStatus());
  const absl::StatusOr<RunStatus> end = RunJob(job);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(ReadCurve(job.run_dir).front().at("updates"), "0");
}

TEST(ResumeTest, TwoProcessesCannotRunInOneFolder) {
  const TrainingJob job = SyntheticJob(TwoMinibatchesAPush(), FreshRunDir());
  absl::Status second;
  TrainingJob first = job;
  first.begun = [&](const RunStatus&, bool) { second = PrepareAndRun(job).status(); };
  ASSERT_TRUE(PrepareAndRun(first).ok());
  EXPECT_EQ(second.code(), absl::StatusCode::kAborted);
}

TEST(ResumeTest, DamagedCheckpointIsAClearError) {
  const TrainingJob job = SyntheticJob(TwoMinibatchesAPush(), FreshRunDir());
  ASSERT_TRUE(PrepareAndRun(job).ok());
  const std::string path = job.run_dir + "/checkpoints/cluster.ckpt";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const absl::Status damaged = PrepareAndRun(job).status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), ::testing::HasSubstr("cluster.ckpt"));
}

TEST(ResumeTest, ADamagedCheckpointCostsTimeButNoBit) {
  const std::string whole_dir = FreshRunDir() + "_whole";
  std::filesystem::remove_all(whole_dir);
  ASSERT_TRUE(PrepareAndRun(SyntheticJob(TwoMinibatchesAPush(), whole_dir)).ok());

  TrainingJob job = SyntheticJob(TwoMinibatchesAPush(), FreshRunDir());
  for (const int64_t stop : {700, 700}) {  // two generations
    int64_t asked = 0;
    job.stopped = [&] { return ++asked > stop; };
    ASSERT_TRUE(PrepareAndRun(job).ok());
  }
  const std::string path = job.run_dir + "/checkpoints/cluster.ckpt";
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(5000).put('\x55').put('\xaa');
  job.stopped = [] { return false; };
  ASSERT_TRUE(PrepareAndRun(job).ok());
  EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
  EXPECT_EQ(WithoutWallTime(ReadCurve(job.run_dir)), WithoutWallTime(ReadCurve(whole_dir)));
  EXPECT_EQ(FinalParameters(job.run_dir), FinalParameters(whole_dir));
}

TEST(ResumeTest, ARunWhoseCheckpointIsGoneIsKeptUnlessRestarted) {
  for (const auto clock : {ClusterDescription::VIRTUAL, ClusterDescription::WALL}) {
    TrainingJob job = SyntheticJob(TwoMinibatchesAPush(), FreshRunDir());
    job.description.mutable_cluster()->set_clock(clock);
    ASSERT_TRUE(PrepareAndRun(job).ok());
    const Curve curve = ReadCurve(job.run_dir);
    std::filesystem::remove_all(job.run_dir + "/checkpoints");
    const absl::Status refused = PrepareAndRun(job).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
    EXPECT_THAT(std::string(refused.message()),
                ::testing::AllOf(::testing::HasSubstr("run_id"), ::testing::HasSubstr(".ckpt"),
                                 ::testing::HasSubstr("--restart")));
    EXPECT_EQ(ReadCurve(job.run_dir), curve);
    ASSERT_EQ(PrepareRunFolder(job.run_dir, job.description, /*restart=*/true), absl::OkStatus());
    EXPECT_TRUE(RunJob(job).ok());
  }
}

TEST(ResumeTest, ARunThatCrashedBeforeItsFirstCheckpointBeginsAgain) {
  TrainingJob job = SyntheticJob(TwoMinibatchesAPush(), FreshRunDir());
  ASSERT_TRUE(PrepareRunFolder(job.run_dir, job.description, /*restart=*/false).ok());
  std::ofstream(job.run_dir + "/frame_accuracy.csv")
      << FrameAccuracyHeader() << "1,1,0,1,1,1,1,1,1,1,1,1,,,,,,,\n";
  EXPECT_TRUE(PrepareAndRun(job).ok());
}

TEST(ResumeTest, WallRunGoesOnFromItsCheckpointsWithNothingLost) {
  RunDescription description = TwoMinibatchesAPush();
  description.mutable_cluster()->set_clock(ClusterDescription::WALL);
  description.mutable_budget()->set_updates(3000);
  TrainingJob job = SyntheticJob(description, FreshRunDir());
  std::atomic<int64_t> asked = 0;
  job.stopped = [&] { return ++asked > 2000; };
  const absl::StatusOr<RunStatus> first = PrepareAndRun(job);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->phase(), RunStatus::TRAINING);
  ASSERT_GT(first->updates(), 0);

  int64_t resumed_at = 0;
  job.stopped = [] { return false; };
  job.begun = [&](const RunStatus& status, bool resumed) { resumed_at = resumed ? status.updates() : -1; };
  const absl::StatusOr<RunStatus> second = PrepareAndRun(job);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->phase(), RunStatus::FINISHED);
  EXPECT_EQ(resumed_at, first->updates());
  // The shards must have applied exactly what the replicas have reported: no push is lost or counted twice.
  int64_t applied = 0;
  for (uint32_t shard = 0; shard < 2; ++shard) {
    const auto snapshot = LoadShardSnapshot(ShardCheckpointPath(job.run_dir + "/checkpoints", shard));
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    applied += static_cast<int64_t>(snapshot->header.version());
  }
  EXPECT_EQ(applied, 2 * second->updates());
  EXPECT_GT(std::stod(ReadCurve(job.run_dir).back().at("test_frame_accuracy")), 0.8);
}

}  // namespace
}  // namespace downpour
