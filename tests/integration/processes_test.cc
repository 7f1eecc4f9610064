// Where on the data's way: guards the programs of server/ and worker/ as processes on one machine that are
// killed without warning.
#include "tests/testing/processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/program/run_program.h"
#include "server/coordinator/coordinator_checkpointer.h"
#include "server/shard/checkpointer.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

TEST_F(Processes, RunFinishesThoughWorkerThenShardThenCoordinatorAreKilled) {
  StartAll();
  WaitForUpdates(300);
  ASSERT_TRUE(WaitFor([&] { return Status().live_replicas() == 4; }));

  workers_[0]->KillAndWait();
  ASSERT_TRUE(WaitFor([&] { return Status().live_replicas() == 2; })) << "the dead were not noticed";
  WaitForUpdates(Status().updates() + 100);
  workers_[0] = StartWorker();

  // Kills it only after it has written a checkpoint; it comes back at another port.
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(folder_ + "/run/checkpoints/shard-1.ckpt"); }));
  shards_[1]->KillAndWait();
  shards_[1] = StartShard(1);
  WaitForUpdates(Status().updates() + 300);

  updates_ = Status().updates() + kEnoughToLearn;
  coordinator_->KillAndWait();
  StartCoordinator();
  EXPECT_GT(Status().updates(), 0);
  ExpectFinishedWell();
}

TEST_F(Processes, TheCoordinatorSaysThatAShardIsLostAndThatItIsBack) {
  StartAll();
  WaitForUpdates(100);
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(folder_ + "/run/checkpoints/shard-1.ckpt"); }));
  shards_[1]->KillAndWait();
  const auto lost = [&] { return Status().shards_size() == 2 && Status().shards(1).lost(); };
  ASSERT_TRUE(WaitFor(lost)) << Status().DebugString();
  const auto log_has = [&](const char* text) {
    return absl::StrContains(FileText(run_dir_ + "/log.txt"), text);
  };
  EXPECT_TRUE(WaitFor([&] { return log_has("is lost: no sign of life"); }));
  EXPECT_FALSE(Status().shards(0).lost());
  shards_[1] = StartShard(1);
  EXPECT_TRUE(WaitFor([&] { return !lost() && log_has("gives signs of life again"); }));
}

TEST_F(Processes, ServersStepByStalenessScheduleAndWarmStartOfTheCoordinator) {
  more_settings_ = {"--optimizer.staleness_exponent=0.5", "--cluster.warm_start_updates=100",
                    "--cluster.warm_start_optimizer.kind=SGD", "--optimizer.schedule.kind=PLATEAU"};
  StartAll();
  const std::string checkpoint = folder_ + "/run/checkpoints/shard-1.ckpt";
  ASSERT_TRUE(WaitFor([&] {
    const auto shard = LoadShardSnapshot(checkpoint);
    return shard.ok() && shard->header.plateau_factor() < 1 && shard->header.plateau_factor() > 0;
  })) << Status().DebugString();
  const ShardCheckpoint header = LoadShardSnapshot(checkpoint)->header;
  EXPECT_EQ(header.optimizer().staleness_exponent(), 0.5f);
  EXPECT_EQ(header.warm_start().updates(), 100);
  EXPECT_EQ(header.warm_start().optimizer().kind(), OptimizerDescription::SGD);
  updates_ = Status().updates();
  coordinator_->KillAndWait();
  StartCoordinator();
  EXPECT_EQ(coordinator_->Wait(), 0) << coordinator_->Output();
}

TEST_F(Processes, SynchronousRoundsGoOnThoughWorkersAndAShardAreKilled) {
  more_settings_ = {"--cluster.consistency=SYNCHRONOUS", "--cluster.replicas=4"};
  StartAll();
  WaitForUpdates(100);
  workers_[0]->KillAndWait();
  WaitForUpdates(Status().updates() + 100);
  EXPECT_EQ(Status().live_replicas(), 2) << "a round of four waits until the dead are noticed";
  workers_[0] = StartWorker();
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(folder_ + "/run/checkpoints/shard-1.ckpt"); }));
  shards_[1]->KillAndWait();
  shards_[1] = StartShard(1);
  WaitForUpdates(Status().updates() + 100);
}

TEST_F(Processes, RunResumesAfterEverythingIsKilledAtOnce) {
  StartAll();
  ASSERT_TRUE(WaitFor([&] { return Status().last_evaluation().updates() >= 400; }));
  ASSERT_TRUE(WaitFor([&] {
    return std::filesystem::exists(folder_ + "/run/checkpoints/shard-0.ckpt") &&
           std::filesystem::exists(folder_ + "/run/checkpoints/shard-1.ckpt");
  }));
  ASSERT_TRUE(WaitFor([&] {
    const auto saved = LoadCoordinatorCheckpoint(folder_ + "/run/checkpoints/coordinator.ckpt");
    return saved.ok() && saved->updates() > 0;
  }));
  updates_ = Status().updates() + kEnoughToLearn;
  const std::string run_id = stub_->Call(&ClusterCoordinator::Stub::Describe, DescribeRequest())->run_id();
  coordinator_->KillAndWait();
  evaluator_->KillAndWait();
  for (auto* group : {&shards_, &workers_}) {
    for (const auto& process : *group) process->KillAndWait();
    group->clear();
  }
  StartAll({-1, -1});  // each finds a checkpoint and goes on from it
  EXPECT_EQ(stub_->Call(&ClusterCoordinator::Stub::Describe, DescribeRequest())->run_id(), run_id);
  EXPECT_GT(Status().updates(), 0);
  ExpectFinishedWell();

  // Started once more, all programs say that there is nothing left to do.
  address_.clear();
  shards_.clear();
  workers_.clear();
  StartAll();
  ExpectFinishedWell();
}

TEST_F(Processes, InterruptedProgramsSaveAndSayHowTheyEnded) {
  StartAll();
  WaitForUpdates(200);
  for (const auto& worker : workers_) worker->Signal(SIGINT);
  for (const auto& worker : workers_) EXPECT_EQ(worker->Wait(), kExitInterrupted) << worker->Output();
  ASSERT_TRUE(WaitFor([&] { return Status().live_replicas() == 0; }, absl::Seconds(1)))
      << "they did not say good-bye";
  evaluator_->Signal(SIGHUP);
  EXPECT_EQ(evaluator_->Wait(), kExitInterrupted);
  for (int shard = 0; shard < 2; ++shard) {
    const std::string checkpoint = absl::StrCat(folder_, "/run/checkpoints/shard-", shard, ".ckpt");
    std::filesystem::remove(checkpoint);
    shards_[shard]->Signal(SIGTERM);
    EXPECT_EQ(shards_[shard]->Wait(), kExitInterrupted);
    EXPECT_TRUE(std::filesystem::exists(checkpoint));
  }
  coordinator_->Signal(SIGINT);
  EXPECT_EQ(coordinator_->Wait(), kExitInterrupted) << coordinator_->Output();
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/run/checkpoints/coordinator.ckpt"));
}

TEST_F(Processes, ServersLeaveACoordinatorThatCameBackWithAnotherRun) {
  StartCoordinator();
  for (int shard = 0; shard < 2; ++shard) shards_.push_back(StartShard(shard));
  workers_.push_back(StartWorker());
  WaitForUpdates(1);
  coordinator_->KillAndWait();
  run_dir_ = folder_ + "/other_run";
  StartCoordinator();
  for (const auto& shard : shards_) {
    EXPECT_EQ(shard->Wait(), kExitUsage);
    EXPECT_THAT(shard->Output(), HasSubstr("this coordinator's run is"));
  }
}

TEST_F(Processes, ServersEndThoughTheCoordinatorOfAFinishedRunLeavesBeforeAllReplicasDo) {
  updates_ = 300;
  StartAll();
  WaitForUpdates(1);
  JoinRequest join;
  *join.mutable_data() = stub_->Call(&ClusterCoordinator::Stub::Describe, DescribeRequest())->data();
  const auto staying = stub_->Call(&ClusterCoordinator::Stub::Join, join);
  ASSERT_TRUE(staying.ok()) << staying.status();
  ReportRequest report;
  report.set_replica_id(staying->replica_id());
  report.set_incarnation(staying->incarnation());
  report.set_token(staying->token());
  ASSERT_TRUE(WaitFor([&] {
    report.set_report(report.report() + 1);
    EXPECT_TRUE(stub_->Call(&ClusterCoordinator::Stub::Report, report).ok());
    return Status().phase() == RunStatus::FINISHED;
  }));
  absl::SleepFor(absl::Seconds(1.2));  // servers ask once per second
  coordinator_->KillAndWait();
  for (const auto& shard : shards_) EXPECT_EQ(shard->Wait(absl::Seconds(20)), 0) << shard->Output();
}

TEST_F(Processes, DeployLocalRunsStopsAndResumesTheWholeJob) {
  const auto command = [&](const std::string& more) {
    std::vector<std::string> words = {absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/local"),
                                      folder_ + "/run.textproto", "--run_dir=" + folder_ + "/run",
                                      "--workers=2", more};
    const std::vector<std::string> settings = Settings();
    words.insert(words.end(), settings.begin(), settings.end());
    return words;
  };
  std::ofstream(folder_ + "/run.textproto") << "name: \"toy\"\n";
  setenv("DOWNPOUR_BIN", DOWNPOUR_PROGRAM_DIR, 1);
  const std::string csv = folder_ + "/run/frame_accuracy.csv";
  const auto lines = [&] {
    const std::string text = FileText(csv);
    return std::count(text.begin(), text.end(), '\n');
  };

  ChildProcess first(command("--cluster.replicas=4"), folder_ + "/local.out");
  ASSERT_TRUE(WaitFor([&] { return lines() >= 4; })) << first.Output();
  first.Signal(SIGINT);
  ASSERT_EQ(first.Wait(), kExitInterrupted) << first.Output();
  const auto lines_before = lines();

  const std::string text = FileText(csv);
  const std::vector<std::string> last =
      absl::StrSplit(text.substr(text.rfind('\n', text.size() - 2) + 1), ',');
  ASSERT_GT(last.size(), 2u);
  ASSERT_TRUE(absl::SimpleAtoi(last[2], &updates_));
  updates_ += kEnoughToLearn;
  ChildProcess second(command("--cluster.replicas=3"), folder_ + "/local.out");  // replicas may change
  EXPECT_EQ(second.Wait(), 0) << second.Output();
  EXPECT_GT(lines(), lines_before);
  EXPECT_THAT(second.Output(), HasSubstr("finished"));

  EXPECT_EQ(ChildProcess(command("--optimizer.kind=ADAGRAD"), folder_ + "/local.out").Wait(), kExitUsage);
}

}  // namespace
}  // namespace downpour
