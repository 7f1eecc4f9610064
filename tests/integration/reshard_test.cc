// Where on the data's way: guards --reshard in every form of the cluster: a run goes on with another number
// of shards, and loses no push.
#include <atomic>

#include "common/program/run_program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/checkpointer.h"
#include "tests/testing/processes.h"
#include "tests/testing/training_run.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Reshard, AnInProcessRunGoesOnWithOtherShardsIfTold) {
  for (const auto clock : {ClusterDescription::VIRTUAL, ClusterDescription::WALL}) {
    RunDescription description = SyntheticRun();
    description.mutable_cluster()->set_clock(clock);
    description.mutable_budget()->set_updates(3000);
    TrainingJob job = SyntheticJob(description, FreshRunDir() + ClusterDescription::ClockKind_Name(clock));
    std::filesystem::remove_all(job.run_dir);
    std::atomic<int64_t> asked = 0;
    // By the wall clock each replica asks at every step.
    job.stopped = [&] { return ++asked > (clock == ClusterDescription::WALL ? 500 : 2000); };
    const auto first = PrepareAndRun(job);
    ASSERT_TRUE(first.ok()) << first.status();
    ASSERT_EQ(first->phase(), RunStatus::TRAINING);

    for (const int shards : {3, 1}) {
      job.description.mutable_cluster()->set_shards(shards);
      const absl::Status refused = PrepareRunFolder(job.run_dir, job.description, /*restart=*/false);
      EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("cluster.shards"), HasSubstr("--reshard")));
      ASSERT_EQ(PrepareRunFolder(job.run_dir, job.description, /*restart=*/false, /*reshard=*/true),
                absl::OkStatus());
      job.reshard = true;
      if (shards == 1) job.description.mutable_budget()->set_updates(4000);
      asked = shards == 1 ? -1'000'000'000 : 0;
      int64_t resumed_at = 0;
      job.begun = [&](const RunStatus& status, bool resumed) {
        resumed_at = resumed ? status.updates() : -1;
      };
      const auto end = RunJob(job);
      ASSERT_TRUE(end.ok()) << end.status();
      EXPECT_GE(resumed_at, first->updates());
      if (clock == ClusterDescription::WALL) {
        for (int shard = 0; shard < shards; ++shard) {
          const auto snapshot = LoadShardSnapshot(ShardCheckpointPath(job.run_dir + "/checkpoints", shard));
          ASSERT_TRUE(snapshot.ok()) << snapshot.status();
          EXPECT_EQ(snapshot->header.version(), end->updates()) << "what the replicas have reported";
        }
      }
      EXPECT_TRUE(shards == 3 || end->phase() == RunStatus::FINISHED);
    }
    EXPECT_GT(std::stod(ReadCurve(job.run_dir).back().at("test_frame_accuracy")), 0.8);
  }
}

class ReshardProcesses : public Processes {
 protected:
  // A run of two shards learns for a while and is stopped; it is to go on with three.
  void RunForAWhile() {
    StartAll();
    WaitForUpdates(500);
    for (const auto& worker : workers_) worker->Signal(SIGINT);
    for (const auto& worker : workers_) EXPECT_EQ(worker->Wait(), kExitInterrupted);
    for (const auto& shard : shards_) shard->Signal(SIGTERM);
    for (const auto& shard : shards_) EXPECT_EQ(shard->Wait(), kExitInterrupted);
    evaluator_->Signal(SIGTERM);
    evaluator_->Wait();
    coordinator_->Signal(SIGINT);
    EXPECT_EQ(coordinator_->Wait(), kExitInterrupted);
    shards_.clear();
    workers_.clear();
    cluster_shards_ = 3;
    updates_ = kEnoughToLearn;
  }
};

TEST_F(ReshardProcesses, GoOnWithOtherShards) {
  RunForAWhile();
  std::vector<std::string> untold = Settings();
  untold.push_back("--run_dir=" + run_dir_);
  const auto refused = Start("downpour-coordinator", untold);
  EXPECT_EQ(refused->Wait(), kExitUsage);
  EXPECT_THAT(refused->Output(), AllOf(HasSubstr("cluster.shards is 3"), HasSubstr("--reshard")));
  more_settings_ = {"--reshard"};
  StartAll({0, 1, 2});
  ExpectFinishedWell();
}

// As in containers, where the coordinator does not see the shards' folders.
TEST_F(ReshardProcesses, GoOnWithCheckpointsThatAServerHasRecutElsewhere) {
  RunForAWhile();
  const std::string elsewhere = folder_ + "/state";
  std::filesystem::create_directories(elsewhere);
  for (const int shard : {0, 1}) {
    std::filesystem::rename(ShardCheckpointPath(run_dir_ + "/checkpoints", shard),
                            ShardCheckpointPath(elsewhere, shard));
    std::filesystem::remove(PreviousGeneration(ShardCheckpointPath(run_dir_ + "/checkpoints", shard)));
  }
  for (const char* const to : {"3", "3"}) {  // the second time there is nothing to do
    const auto recut =
        Start("downpour-server", {"--state_dir=" + elsewhere, absl::StrCat("--reshard_to=", to)});
    EXPECT_EQ(recut->Wait(), 0) << recut->Output();
  }
  more_settings_ = {"--reshard"};
  StartCoordinator();
  for (const int shard : {0, 1, 2}) {
    std::filesystem::rename(ShardCheckpointPath(elsewhere, shard),
                            ShardCheckpointPath(run_dir_ + "/checkpoints", shard));
    shards_.push_back(StartShard(shard));
  }
  workers_.push_back(StartWorker());
  evaluator_ = StartEvaluator();
  ExpectFinishedWell();
}

}  // namespace
}  // namespace downpour
