// Where on the data's way: guards the programs of server/ and worker/ at their start: what they refuse and
// what they say while they wait.
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
#include "tests/testing/processes.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

using ProcessStart = Processes;

TEST_F(ProcessStart, SayWhichCoordinatorDoesNotAnswerAndWhy) {
  for (const std::string name : {"downpour-worker", "downpour-evaluator", "downpour-server"}) {
    for (const std::string address : {"no-such-host.invalid:7100", "127.0.0.1:1"}) {
      std::vector<std::string> arguments = {"--coordinator=" + address};
      if (name == "downpour-server") arguments.push_back("--state_dir=" + folder_ + "/state");
      const auto program = Start(name, arguments);
      const auto said = [&](const char* what) { return absl::StrContains(program->Output(), what); };
      // Two seconds, and some for a busy machine.
      EXPECT_TRUE(WaitFor([&] { return said(address.c_str()) && (said("DNS") || said("refused")); },
                          absl::Seconds(5)))
          << name << ": " << program->Output();
      program->Signal(SIGINT);
      EXPECT_EQ(program->Wait(), kExitInterrupted) << program->Output();
    }
  }
}

TEST_F(ProcessStart, GiveUpWithExitCodeOneWhenTheyAreTold) {
  for (const std::string name : {"downpour-worker", "downpour-evaluator", "downpour-server"}) {
    std::vector<std::string> arguments = {"--coordinator=127.0.0.1:1", "--give_up_after=2s"};
    if (name == "downpour-server") arguments.push_back("--state_dir=" + folder_ + "/state");
    const auto program = Start(name, arguments);
    EXPECT_EQ(program->Wait(absl::Seconds(30)), kExitFailed) << program->Output();
    EXPECT_THAT(program->Output(), HasSubstr("127.0.0.1:1"));
  }
}

TEST_F(ProcessStart, AServerGivesUpOnACoordinatorThatStaysAway) {
  StartCoordinator();
  const auto worker = StartWorker();
  shards_.push_back(Start("downpour-server", {"--coordinator=" + address_, "--give_up_after=3s",
                                              "--state_dir=" + folder_ + "/state"}));
  ASSERT_TRUE(WaitFor([&] { return Status().shards_registered() == 1; }));
  coordinator_->KillAndWait();
  EXPECT_EQ(shards_[0]->Wait(absl::Seconds(30)), kExitFailed) << shards_[0]->Output();
}

TEST_F(ProcessStart, AServerWithoutAnIndexComesBackThoughItDiedBeforeItsFirstCheckpoint) {
  StartCoordinator();
  workers_.push_back(StartWorker());
  for (int shard = 0; shard < 2; ++shard) {
    shards_.push_back(Start("downpour-server", {"--coordinator=" + address_, "--state_dir=" + run_dir_}));
  }
  WaitForUpdates(1);
  for (int shard = 0; shard < 2; ++shard) {
    shards_[shard]->KillAndWait();
    std::filesystem::remove(absl::StrCat(run_dir_, "/shard-", shard, ".ckpt"));
  }
  for (auto& shard : shards_) {
    shard = Start("downpour-server",
                  {"--coordinator=" + address_, "--state_dir=" + run_dir_, "--initial_parameters"});
  }
  WaitForUpdates(Status().updates() + 10);
}

TEST_F(ProcessStart, RefuseNumbersBelowTheirLeast) {
  const struct {
    const char *program, *flag, *least;
  } cases[] = {{"downpour-server", "--shard=-7", "-1"},
               {"downpour-server", "--give_up_after=-1s", "0"},
               {"downpour-worker", "--replicas=0", "1"},
               {"downpour-worker", "--compute_threads=-2", "1"},
               {"downpour-worker", "--give_up_after=-1s", "0"},
               {"downpour-evaluator", "--threads=-1", "0"},
               {"downpour-evaluator", "--give_up_after=-1s", "0"},
               {"downpour-train", "--threads=-1", "0"}};
  for (const auto& [program, flag, least] : cases) {
    std::vector<std::string> arguments = {
        flag, "--budget.updates=1", absl::StrCat("--data.train_dir=", folder_, "/train"),
        absl::StrCat("--data.test_dir=", folder_, "/test"), absl::StrCat("--run_dir=", folder_, "/none")};
    if (program != std::string("downpour-train")) arguments = {flag};
    const auto started = Start(program, arguments);
    EXPECT_EQ(started->Wait(absl::Seconds(30)), kExitUsage) << program << " " << flag;
    EXPECT_THAT(started->Output(), HasSubstr(absl::StrCat(", want ", least, " or more"))) << flag;
  }
}

TEST_F(ProcessStart, TheEvaluatorSaysWhichFileItCannotRead) {
  StartCoordinator();
  const auto worker = StartWorker();
  ASSERT_TRUE(WaitFor([&] {
    const auto run = stub_->Call(&ClusterCoordinator::Stub::Describe, DescribeRequest());
    return run.ok() && run->has_data();
  }));
  const std::string file = folder_ + "/test/feats.scp";
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  const auto evaluator = StartEvaluator();
  EXPECT_EQ(evaluator->Wait(absl::Seconds(30)), kExitFailed);
  EXPECT_THAT(evaluator->Output(), HasSubstr(file));
}

TEST_F(ProcessStart, RefuseToHandOutAnAddressThatNobodyReaches) {
  for (const std::string listen : {"0.0.0.0:0", "[::]:0"}) {
    const auto server = Start("downpour-server", {"--coordinator=127.0.0.1:1", "--listen=" + listen,
                                                  "--state_dir=" + folder_ + "/state"});
    EXPECT_EQ(server->Wait(), kExitUsage) << server->Output();
    EXPECT_THAT(server->Output(), HasSubstr("--advertise is not set, want the host:port"));
  }
}

TEST_F(ProcessStart, RefuseAPortInUse) {
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

TEST_F(ProcessStart, RefuseARunFolderInUse) {
  StartCoordinator();
  std::vector<std::string> arguments = Settings();
  arguments.push_back("--run_dir=" + folder_ + "/run");
  arguments.push_back("--listen=127.0.0.1:0");
  const auto second = Start("downpour-coordinator", arguments);
  EXPECT_EQ(second->Wait(), kExitFailed) << "another process may leave the folder";
  EXPECT_THAT(second->Output(), HasSubstr("another process"));

  const std::string port_file = folder_ + "/server_port";
  const auto server =
      Start("downpour-server", {"--coordinator=" + address_, "--shard=0", "--port_file=" + port_file,
                                "--state_dir=" + folder_ + "/run/checkpoints"});
  ASSERT_TRUE(WaitFor([&] { return !FileText(port_file).empty(); }));
  const auto second_server = StartShard(0);
  EXPECT_EQ(second_server->Wait(), kExitFailed);
  EXPECT_THAT(second_server->Output(), HasSubstr("another process serves shard 0 from"));
}

TEST_F(ProcessStart, RefuseAnotherRun) {
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

}  // namespace
}  // namespace downpour
