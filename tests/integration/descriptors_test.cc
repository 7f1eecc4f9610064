// Where on the data's way: guards common/rpc/ and the coordinator's program when more connections come than
// there are descriptors.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/file/file_descriptor.h"
#include "common/program/run_program.h"
#include "tests/testing/processes.h"

namespace downpour {
namespace {

class Descriptors : public Processes {
 protected:
  // As StartCoordinator(), with that limit ("soft:hard") of open descriptors.
  void StartLimited(const std::string& limit) {
    std::vector<std::string> command = {"/usr/bin/prlimit", "--nofile=" + limit,
                                        ProgramPath("downpour-coordinator")};
    const std::vector<std::string> settings = Settings();
    command.insert(command.end(), settings.begin(), settings.end());
    const std::string port_file = folder_ + "/port";
    for (const std::string& more :
         {"--run_dir=" + run_dir_, "--port_file=" + port_file, std::string("--listen=127.0.0.1:0")})
      command.push_back(more);
    coordinator_ = std::make_unique<ChildProcess>(command, folder_ + "/coordinator.out");
    ASSERT_TRUE(WaitFor([&] { return !FileText(port_file).empty(); })) << coordinator_->Output();
    address_ = std::string(absl::StripAsciiWhitespace(FileText(port_file)));
    CoordinatorStub::Options options;
    options.address = address_;
    options.retry.give_up_after = absl::ZeroDuration();
    stub_ = std::make_unique<CoordinatorStub>(options);
  }
  // Opens that many connections, which say nothing.
  void Connect(int connections) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    int port = 0;
    ASSERT_TRUE(absl::SimpleAtoi(address_.substr(address_.rfind(':') + 1), &port));
    address.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    for (int i = 0; i < connections; ++i) {
      FileDescriptor& connection = silent_.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      ASSERT_EQ(connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    }
  }
  bool Answers() const {
    return stub_->Call(&ClusterCoordinator::Stub::GetRunStatus, RunStatusRequest()).ok();
  }

  std::vector<FileDescriptor> silent_;
};

TEST_F(Descriptors, ASoftLimitIsRaisedSoManyConnectionsDoNoHarm) {
  StartLimited("64:4096");
  Connect(400);
  EXPECT_TRUE(Answers());
}

TEST_F(Descriptors, BeyondTheHardLimitConnectionsAreRefusedUntilSilentOnesAreClosed) {
  StartLimited("200:200");
  Connect(400);
  ASSERT_TRUE(WaitFor([&] {
    return FileText(run_dir_ + "/log.txt").find("refused a connection") != std::string::npos;
  })) << FileText(run_dir_ + "/log.txt");
  // There are descriptors for a checkpoint all the same.
  const std::string checkpoint = run_dir_ + "/checkpoints/coordinator.ckpt";
  std::filesystem::remove(checkpoint);
  EXPECT_TRUE(WaitFor([&] { return std::filesystem::exists(checkpoint); }, absl::Seconds(8)))
      << FileText(run_dir_ + "/log.txt");
  EXPECT_TRUE(WaitFor([&] { return Answers(); }, absl::Seconds(60)));
  coordinator_->Signal(SIGTERM);
  EXPECT_EQ(coordinator_->Wait(), kExitInterrupted) << coordinator_->Output();
}

}  // namespace
}  // namespace downpour
