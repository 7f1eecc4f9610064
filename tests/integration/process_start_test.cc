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
      EXPECT_TRUE(WaitFor([&] { return said(address.c_str()) && (said("DNS") || said("refused")); }))
          << name << ": " << program->Output();
      program->Signal(SIGINT);
      EXPECT_EQ(program->Wait(), kExitInterrupted) << program->Output();
    }
  }
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
