// Where on the data's way: guards the programs of server/ and worker/ as processes on one machine that are
// killed without warning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/program/run_program.h"
#include "common/rpc/coordinator_stub.h"
#include "server/coordinator/coordinator_checkpointer.h"
#include "server/shard/checkpointer.h"
#include "tests/testing/child_process.h"
#include "tests/testing/toy_corpus.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Program(const std::string& name) { return absl::StrCat(DOWNPOUR_PROGRAM_DIR, "/", name); }

// A run folder beside a small data directory, and the programs of one run by name.
class Processes : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(::testing::TempDir(), "/processes_",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name(), "_", getpid());
    run_dir_ = folder_ + "/run";
    std::filesystem::create_directories(folder_);
    WriteToyCorpus(folder_ + "/train", 60, 1);
    WriteToyCorpus(folder_ + "/test", 20, 2);
  }
  void TearDown() override {
    if (!HasFailure()) std::filesystem::remove_all(folder_);
  }

  std::vector<std::string> Settings() const {
    std::vector<std::string> settings = {absl::StrCat("--data.train_dir=", folder_, "/train"),
                                         absl::StrCat("--data.test_dir=", folder_, "/test"),
                                         "--data.left_context=2",
                                         "--data.right_context=2",
                                         "--data.slice_frames=200",
                                         "--network.hidden_width=[16]",
                                         "--cluster.shards=2",
                                         "--cluster.minibatch=10",
                                         "--cluster.replica_timeout_s=2",
                                         absl::StrCat("--budget.updates=", updates_),
                                         "--evaluation.every_updates=200",
                                         "--checkpoint.every_s=0.5"};
    settings.insert(settings.end(), more_settings_.begin(), more_settings_.end());
    return settings;
  }

  std::unique_ptr<ChildProcess> Start(const std::string& name, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), Program(name));
    return std::make_unique<ChildProcess>(arguments, absl::StrCat(folder_, "/", name, ".out"));
  }

  // Starts it at the address of the earlier one, if there was one.
  void StartCoordinator() {
    std::vector<std::string> arguments = Settings();
    const std::string port_file = folder_ + "/port";
    arguments.push_back("--run_dir=" + run_dir_);
    arguments.push_back("--port_file=" + port_file);
    arguments.push_back("--listen=" + (address_.empty() ? "127.0.0.1:0" : address_));
    std::filesystem::remove(port_file);
    coordinator_ = Start("downpour-coordinator", arguments);
    ASSERT_TRUE(WaitFor(
        [&] { return !FileText(port_file).empty() || coordinator_->Wait(absl::ZeroDuration()) >= 0; }));
    address_ = std::string(absl::StripAsciiWhitespace(FileText(port_file)));
    ASSERT_THAT(address_, Not(IsEmpty())) << coordinator_->Output();
    CoordinatorStub::Options options;
    options.address = address_;
    options.retry.give_up_after = absl::ZeroDuration();
    stub_ = std::make_unique<CoordinatorStub>(options);
  }
  std::unique_ptr<ChildProcess> StartShard(int shard) const {
    return Start("downpour-server", {"--coordinator=" + address_, absl::StrCat("--shard=", shard),
                                     "--state_dir=" + folder_ + "/run/checkpoints"});
  }
  std::unique_ptr<ChildProcess> StartWorker(std::vector<std::string> more = {}) const {
    more.push_back("--coordinator=" + address_);
    more.push_back("--replicas=2");
    return Start("downpour-worker", more);
  }
  std::unique_ptr<ChildProcess> StartEvaluator() const {
    return Start("downpour-evaluator", {"--coordinator=" + address_, "--threads=1"});
  }
  void StartAll(std::vector<int> shards = {0, 1}) {
    StartCoordinator();
    for (const int shard : shards) shards_.push_back(StartShard(shard));
    for (int worker = 0; worker < 2; ++worker) workers_.push_back(StartWorker());
    evaluator_ = StartEvaluator();
  }

  RunStatus Status() const {
    const auto status = stub_->Call(&ClusterCoordinator::Stub::GetRunStatus, RunStatusRequest());
    EXPECT_TRUE(status.ok()) << status.status() << "\n" << coordinator_->Output();
    return status.value_or(RunStatus());
  }
  void WaitForUpdates(int64_t updates) const {
    ASSERT_TRUE(WaitFor([&] { return Status().updates() >= updates; })) << Status().DebugString();
  }

  void ExpectFinishedWell() {
    EXPECT_EQ(coordinator_->Wait(), 0) << coordinator_->Output();
    for (const auto& shard : shards_) EXPECT_EQ(shard->Wait(), 0) << shard->Output();
    for (const auto& worker : workers_) EXPECT_EQ(worker->Wait(), 0) << worker->Output();
    EXPECT_EQ(evaluator_->Wait(), 0) << evaluator_->Output();
    const std::vector<std::string> lines =
        absl::StrSplit(FileText(folder_ + "/run/frame_accuracy.csv"), '\n', absl::SkipEmpty());
    ASSERT_GT(lines.size(), 3);
    const std::vector<std::string> names = absl::StrSplit(lines[0], ',');
    const auto column = [&](const std::string& line, const std::string& name) {
      const std::vector<std::string> fields = absl::StrSplit(line, ',');
      double value = -1;
      EXPECT_TRUE(
          absl::SimpleAtod(fields[std::find(names.begin(), names.end(), name) - names.begin()], &value))
          << line;
      return value;
    };
    for (size_t i = 2; i < lines.size(); ++i)
      EXPECT_GT(column(lines[i], "updates"), column(lines[i - 1], "updates"));
    EXPECT_GE(column(lines.back(), "updates"), updates_);
    static_assert(0.8 > 3.0 / kToyClasses, "far above chance");
    EXPECT_GT(column(lines.back(), "test_frame_accuracy"), 0.8);
  }

  // No machine reaches this budget; a test in which the run should end restarts the coordinator with a
  // smaller one.
  int64_t updates_ = 1'000'000'000;
  static constexpr int64_t kEnoughToLearn = 3000;
  std::vector<std::string> more_settings_;
  std::string folder_;
  std::string run_dir_;
  std::string address_;
  std::unique_ptr<CoordinatorStub> stub_;
  std::unique_ptr<ChildProcess> coordinator_;
  std::vector<std::unique_ptr<ChildProcess>> shards_;
  std::vector<std::unique_ptr<ChildProcess>> workers_;
  std::unique_ptr<ChildProcess> evaluator_;
};

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

TEST_F(Processes, SayWhichCoordinatorDoesNotAnswerAndWhy) {
  for (const std::string name : {"downpour-worker", "downpour-evaluator", "downpour-server"}) {
    for (const std::string address : {"no-such-host.invalid:7100", "127.0.0.1:1"}) {
      std::vector<std::string> arguments = {"--coordinator=" + address};
      if (name == "downpour-server") arguments.push_back("--state_dir=" + folder_ + "/state");
      const auto program = Start(name, arguments);
      const auto said = [&](const char* what) { return absl::StrContains(program->Output(), what); };
      EXPECT_TRUE(WaitFor([&] { return said(address.c_str()) && (said("DNS") || said("refused")); }))
          << name << ": " << program->Output();
      program->Signal(SIGINT);
      EXPECT_EQ(program->Wait(), kExitInterrupted) << program->Output();
    }
  }
}

TEST_F(Processes, RefuseToHandOutAnAddressThatNobodyReaches) {
  for (const std::string listen : {"0.0.0.0:0", "[::]:0"}) {
    const auto server = Start("downpour-server", {"--coordinator=127.0.0.1:1", "--listen=" + listen,
                                                  "--state_dir=" + folder_ + "/state"});
    EXPECT_EQ(server->Wait(), kExitUsage) << server->Output();
    EXPECT_THAT(server->Output(), HasSubstr("--advertise is not set, want the host:port"));
  }
}

TEST_F(Processes, RefuseAPortInUse) {
  StartCoordinator();
  std::vector<std::string> arguments = Settings();
  arguments.push_back("--run_dir=" + folder_ + "/other_run");
  arguments.push_back("--listen=" + address_);
  const auto second = Start("downpour-coordinator", arguments);
  EXPECT_EQ(second->Wait(), kExitFailed);
  EXPECT_THAT(second->Output(),
              HasSubstr(absl::StrCat("cannot listen at ", address_, ": the port is in use")));

  const auto server = Start("downpour-server", {"--coordinator=" + address_, "--listen=" + address_,
                                                "--state_dir=" + folder_ + "/other_run/checkpoints"});
  EXPECT_EQ(server->Wait(), kExitFailed);
  EXPECT_THAT(server->Output(), HasSubstr("the port is in use"));
  EXPECT_EQ(Status().phase(), RunStatus::WAITING);  // the first coordinator still answers
}

TEST_F(Processes, RefuseARunFolderInUse) {
  StartCoordinator();
  std::vector<std::string> arguments = Settings();
  arguments.push_back("--run_dir=" + folder_ + "/run");
  arguments.push_back("--listen=127.0.0.1:0");
  const auto second = Start("downpour-coordinator", arguments);
  EXPECT_EQ(second->Wait(), kExitUsage);
  EXPECT_THAT(second->Output(), HasSubstr("another process"));

  const std::string port_file = folder_ + "/server_port";
  const auto server =
      Start("downpour-server", {"--coordinator=" + address_, "--shard=0", "--port_file=" + port_file,
                                "--state_dir=" + folder_ + "/run/checkpoints"});
  ASSERT_TRUE(WaitFor([&] { return !FileText(port_file).empty(); }));
  const auto second_server = StartShard(0);
  EXPECT_EQ(second_server->Wait(), kExitUsage);
  EXPECT_THAT(second_server->Output(), HasSubstr("another process serves shard 0 from"));
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
  ASSERT_TRUE(WaitFor([&] {
    report.set_report(report.report() + 1);
    EXPECT_TRUE(stub_->Call(&ClusterCoordinator::Stub::Report, report).ok());
    return Status().phase() == RunStatus::FINISHED;
  }));
  absl::SleepFor(absl::Seconds(1.2));  // servers ask once per second
  coordinator_->KillAndWait();
  for (const auto& shard : shards_) EXPECT_EQ(shard->Wait(absl::Seconds(20)), 0) << shard->Output();
}

TEST_F(Processes, RefuseAnotherRun) {
  StartCoordinator();
  const auto described = StartWorker({"--optimizer.kind=ADAGRAD"});
  EXPECT_EQ(described->Wait(), kExitUsage);
  EXPECT_THAT(described->Output(), HasSubstr("optimizer.kind"));

  for (int shard = 0; shard < 2; ++shard) shards_.push_back(StartShard(shard));
  workers_.push_back(StartWorker());
  WaitForUpdates(1);
  WriteToyCorpus(folder_ + "/other_train", 61, 3);
  const auto other_data = StartWorker({absl::StrCat("--data.train_dir=", folder_, "/other_train")});
  EXPECT_EQ(other_data->Wait(), kExitUsage) << other_data->Output();

  // Another run must not begin in this run's folder either.
  coordinator_->KillAndWait();
  std::vector<std::string> arguments = Settings();
  arguments.push_back("--optimizer.kind=ADAGRAD");
  arguments.push_back("--run_dir=" + folder_ + "/run");
  const auto other_run = Start("downpour-coordinator", arguments);
  EXPECT_EQ(other_run->Wait(), kExitUsage);
  EXPECT_THAT(other_run->Output(), HasSubstr("another run"));
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
