// Where on the data's way: for tests of the programs: a run folder, and the programs of one run by name.
#ifndef DOWNPOUR_TESTS_TESTING_PROCESSES_H_
#define DOWNPOUR_TESTS_TESTING_PROCESSES_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/rpc/coordinator_stub.h"
#include "tests/testing/child_process.h"
#include "tests/testing/toy_corpus.h"

namespace downpour {

inline std::string ProgramPath(const std::string& name) {
  return absl::StrCat(DOWNPOUR_PROGRAM_DIR, "/", name);
}

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
    // First, since what still runs writes into the folder.
    evaluator_.reset();
    workers_.clear();
    shards_.clear();
    coordinator_.reset();
    if (!HasFailure()) std::filesystem::remove_all(folder_);
  }

  std::vector<std::string> Settings() const {
    std::vector<std::string> settings = {absl::StrCat("--data.train_dir=", folder_, "/train"),
                                         absl::StrCat("--data.test_dir=", folder_, "/test"),
                                         "--data.left_context=2",
                                         "--data.right_context=2",
                                         "--data.slice_frames=200",
                                         "--network.hidden_width=[16]",
                                         absl::StrCat("--cluster.shards=", cluster_shards_),
                                         "--cluster.minibatch=10",
                                         "--cluster.replica_timeout_s=2",
                                         absl::StrCat("--budget.updates=", updates_),
                                         "--evaluation.every_updates=200",
                                         "--checkpoint.every_s=0.5"};
    for (const std::string& more : more_settings_) {
      const std::string name = more.substr(0, more.find('='));
      std::erase_if(settings, [&](const std::string& setting) { return setting.starts_with(name + "="); });
      settings.push_back(more);
    }
    return settings;
  }

  std::unique_ptr<ChildProcess> Start(const std::string& name, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), ProgramPath(name));
    const std::vector<std::string> tls = TlsFlags(name, arguments);
    arguments.insert(arguments.end(), tls.begin(), tls.end());
    return std::make_unique<ChildProcess>(arguments, absl::StrCat(folder_, "/", name, ".out"));
  }

  // With --tls_*, if the test has certificates: those of the program's role.
  std::vector<std::string> TlsFlags(const std::string& name,
                                    const std::vector<std::string>& arguments) const {
    if (certificates_.empty()) return {};
    std::string role = name.substr(std::string("downpour-").size());
    if (role == "dashboard" || role == "health") role = "observer";
    for (const std::string& argument : arguments) {
      if (role == "server" && argument.starts_with("--shard="))
        role = absl::StrCat("shard-", argument.substr(8));
    }
    const std::string folder = absl::StrCat(certificates_, "/", role);
    return {absl::StrCat("--tls_ca=", folder, "/ca.pem"),
            absl::StrCat("--tls_certificate=", folder, "/certificate.pem"),
            absl::StrCat("--tls_key=", folder, "/key.pem")};
  }
  // Of a process of this test with the role: null, if it has no certificates.
  std::shared_ptr<Credentials> CredentialsOf(const std::string& role) const {
    if (certificates_.empty()) return nullptr;
    const std::string folder = absl::StrCat(certificates_, "/", role);
    const auto identity = TlsIdentity::Read(
        {folder + "/ca.pem", folder + "/certificate.pem", folder + "/key.pem"}, Clock::Real()->WallNow());
    EXPECT_TRUE(identity.ok()) << identity.status();
    return std::make_shared<Credentials>(Security{identity.value_or(nullptr)});
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
    ASSERT_THAT(address_, ::testing::Not(::testing::IsEmpty())) << coordinator_->Output();
    CoordinatorStub::Options options;
    options.address = address_;
    options.credentials = CredentialsOf("worker");
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

  // Repeats the request until the coordinator lets it in.
  JoinReply Join(const JoinRequest& request) const {
    absl::StatusOr<JoinReply> joined;
    EXPECT_TRUE(WaitFor([&] {
      joined = stub_->Call(&ClusterCoordinator::Stub::Join, request);
      return joined.ok();
    })) << joined.status();
    return joined.value_or(JoinReply());
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
  int cluster_shards_ = 2;
  std::vector<std::string> more_settings_;
  std::string folder_;
  std::string run_dir_;
  std::string certificates_;  // folder of deploy/certificates; empty: without TLS
  std::string address_;
  std::unique_ptr<CoordinatorStub> stub_;
  std::unique_ptr<ChildProcess> coordinator_;
  std::vector<std::unique_ptr<ChildProcess>> shards_;
  std::vector<std::unique_ptr<ChildProcess>> workers_;
  std::unique_ptr<ChildProcess> evaluator_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_PROCESSES_H_
