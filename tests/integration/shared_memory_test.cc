// Where on the data's way: guards the transport between replica and shard of one host: when shared memory is
// used, and replicas that die.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/random.h"
#include "common/rpc/channel.h"
#include "server/service/parameter_service.h"
#include "server/service/shared_memory_service.h"
#include "tests/testing/child_process.h"
#include "tests/testing/integer_shard.h"
#include "tests/testing/wait_for.h"
#include "worker/transport/grpc_shared_memory_client.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kSize = 9 * kChunkElements + 77;
constexpr char kChild[] = "DOWNPOUR_TEST_CHILD";  // environment variable: address and replica id

int64_t FilesIn(const std::string& directory) {
  return std::distance(std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator());
}

GrpcShardClient::Options ClientOptions(const std::string& address, const ParameterShard& shard) {
  GrpcShardClient::Options options;
  options.address = address;
  options.range = shard.range();
  options.run = shard.run();
  return options;
}

class SharedMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = absl::StrCat("/tmp/downpour_shm_", getpid());
    std::filesystem::create_directories(directory_);
    Serve({.directory = directory_});
  }
  void TearDown() override {
    server_.server.reset();
    std::filesystem::remove_all(directory_);
  }

  // Starts the server again at the same address.
  void Serve(const SharedMemoryService::Options& options, bool shared = true) {
    server_.server.reset();
    service_ = std::make_unique<ParameterService>(ParameterService::Options());
    shared_ = std::make_unique<SharedMemoryService>(options);
    std::vector<grpc::Service*> services = {service_.get()};
    if (shared) services.push_back(shared_.get());
    absl::StatusOr<ListeningServer> server =
        ListenAt(server_.address.empty() ? "127.0.0.1:0" : server_.address, services);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    service_->Serve(shard_);
    shared_->Serve(shard_);
  }
  std::unique_ptr<SharedMemoryShardClient> Client(const std::string& directory) {
    return std::make_unique<SharedMemoryShardClient>(
        SharedMemoryShardClient::Options{ClientOptions(server_.address, *shard_), directory, memory_.get()});
  }
  void ExpectServed(ShardClient& client) {
    const uint64_t version = shard_->version();
    std::vector<float> parameters(kSize);
    ASSERT_TRUE(client.Fetch(absl::MakeSpan(parameters)).ok());
    const float before = parameters[kSize - 1];
    const std::vector<float> gradient(kSize, 2);
    const auto outcome = client.Push({9999, 1, ++sequence_, version}, gradient);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->version, version + 1);
    EXPECT_EQ(outcome->staleness, 0);
    EXPECT_EQ(*client.Fetch(absl::MakeSpan(parameters)), version + 1);
    EXPECT_EQ(parameters[kSize - 1], before - 2);
  }

  std::string directory_;
  const std::shared_ptr<ParameterShard> shard_ = IntegerShard(kSize);
  const std::unique_ptr<SharedMemoryResource> memory_ = *SharedMemoryResource::Create();
  std::unique_ptr<ParameterService> service_;
  std::unique_ptr<SharedMemoryService> shared_;
  ListeningServer server_;
  uint64_t sequence_ = 0;
};

TEST_F(SharedMemoryTest, IsChosenByItselfAndLeavesNothing) {
  auto client = Client(directory_);
  ExpectServed(*client);
  EXPECT_TRUE(client->attached());
  EXPECT_EQ(shared_->sessions(), 1);
  EXPECT_EQ(FilesIn(directory_), 0);
  EXPECT_THAT(FileText("/proc/self/maps"), HasSubstr("memfd:downpour"));
  client.reset();
  EXPECT_TRUE(WaitFor([&] { return shared_->sessions() == 0; }));
  EXPECT_THAT(FileText("/proc/self/maps"), Not(HasSubstr("memfd:downpour")));
}

// Metrics and the health check go by it.
TEST_F(SharedMemoryTest, APushIsCountedWhileItIsUnderWay) {
  const auto client = Client(directory_);
  ExpectServed(*client);
  EXPECT_EQ(shared_->pushes(), 0);
  constexpr uint64_t kStandby = 7;
  shard_->log().Expect(kStandby);
  ASSERT_EQ(shard_->log().Attach(kStandby), absl::OkStatus());
  shard_->log().Applied(kStandby, 0);  // pushes wait for it from now on
  std::thread replica([&] {
    EXPECT_TRUE(client->Push({9999, 1, ++sequence_, 1}, std::vector<float>(kSize, 2)).ok());
  });
  EXPECT_TRUE(WaitFor([&] { return shared_->pushes() == 1; }));
  shard_->log().Detach(kStandby);
  replica.join();
  EXPECT_EQ(shared_->pushes(), 0);
}

TEST_F(SharedMemoryTest, WhatLiesInItIsNotCopied) {
  const auto client = Client(directory_);
  std::pmr::vector<float> gradient(kSize, 3, memory_.get());
  std::pmr::vector<float> parameters(kSize, memory_.get());
  struct stat before {};
  struct stat after {};
  fstat(memory_->file().get(), &before);
  ASSERT_TRUE(client->Push({1, 1, 1, 0}, gradient).ok());
  ASSERT_TRUE(client->Fetch(absl::MakeSpan(parameters)).ok());
  EXPECT_THAT(parameters, Each(-3));
  EXPECT_TRUE(client->attached());
  fstat(memory_->file().get(), &after);
  EXPECT_EQ(after.st_size, before.st_size);
}

TEST_F(SharedMemoryTest, FallsBackWhereTheDirectoryIsAnother) {
  const auto client = Client("/proc");
  ExpectServed(*client);
  EXPECT_FALSE(client->attached());
  EXPECT_TRUE(WaitFor([&] { return shared_->sessions() == 0; }));
  EXPECT_EQ(FilesIn(directory_), 0);
}

TEST_F(SharedMemoryTest, FallsBackWhereTheShardHasNoDirectory) {
  Serve({.directory = directory_ + "/none"});
  const auto client = Client(directory_ + "/none");
  ExpectServed(*client);
  EXPECT_FALSE(client->attached());
}

TEST_F(SharedMemoryTest, FallsBackWhereTheShardDoesNotOfferIt) {
  Serve({.directory = directory_}, /*shared=*/false);
  const auto client = Client(directory_);
  ExpectServed(*client);
  EXPECT_FALSE(client->attached());
}

TEST_F(SharedMemoryTest, FallsBackBeyondTheMostSessions) {
  Serve({.directory = directory_, .max_sessions = 1});
  auto first = Client(directory_);
  ExpectServed(*first);
  const auto second = Client(directory_);
  ExpectServed(*second);
  EXPECT_TRUE(first->attached());
  EXPECT_FALSE(second->attached());
  first.reset();
  EXPECT_TRUE(WaitFor([&] { return shared_->sessions() == 0; }));
  ExpectServed(*second);
  EXPECT_TRUE(second->attached());
}

TEST_F(SharedMemoryTest, IsFoundAgainAfterARestart) {
  const auto client = Client(directory_);
  ExpectServed(*client);
  for (int restart = 0; restart < 3; ++restart) {
    Serve({.directory = directory_});
    ExpectServed(*client);
    ExpectServed(*client);
    EXPECT_TRUE(client->attached());
  }
}

TEST_F(SharedMemoryTest, BytesThatChangeWhileTheyAreReadDoNoHarm) {
  const auto client = Client(directory_);
  std::pmr::vector<float> gradient(kSize, 1, memory_.get());
  std::atomic<bool> stop = false;
  // Reads through a mapping of its own, as another process would.
  const SharedMemoryView view = *SharedMemoryView::Map(
      memory_->file(), *memory_->OffsetOf(TensorView(gradient).bytes()), std::ssize(gradient), sizeof(float));
  std::jthread flipper([&] {
    for (size_t i = 0; !stop; i = (i + 4099) % kSize) {
      auto* const element = reinterpret_cast<volatile float*>(&view.elements<float>()[i]);
      *element = std::numeric_limits<float>::quiet_NaN();
      *element = 1;
    }
  });
  const absl::Cleanup stopped = [&] { stop = true; };
  uint64_t applied = 0;
  for (uint64_t sequence = 1; sequence <= 60; ++sequence) {
    const absl::Status status = client->Push({1, 1, sequence, 0}, gradient).status();
    ASSERT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
    applied += status.ok() ? 1 : 0;
  }
  const ShardSnapshot snapshot = shard_->Snapshot();
  EXPECT_EQ(shard_->version(), applied);
  EXPECT_EQ(snapshot.header.pushes_rejected(), 60 - applied);
  for (const float parameter : snapshot.parameters) ASSERT_TRUE(std::isfinite(parameter));
}

// A replica in a process of its own, which is this program with kChild set. It pushes ones and fetches
// for ever.
TEST(SharedMemoryChild, DISABLED_Replica) {
  ASSERT_NE(getenv(kChild), nullptr);
  const std::vector<std::string> words = absl::StrSplit(getenv(kChild), ' ');
  uint64_t replica = 0;
  ASSERT_TRUE(words.size() == 3 && absl::SimpleAtoi(words[2], &replica));
  const std::unique_ptr<SharedMemoryResource> memory = *SharedMemoryResource::Create();
  SharedMemoryShardClient client({ClientOptions(words[0], *IntegerShard(kSize)), words[1], memory.get()});
  const std::pmr::vector<float> gradient(kSize, 1, memory.get());
  std::pmr::vector<float> parameters(kSize, memory.get());
  for (uint64_t sequence = 1;; ++sequence) {
    ASSERT_TRUE(client.Push({replica, 1, sequence, 0}, gradient).ok());
    ASSERT_TRUE(client.Fetch(absl::MakeSpan(parameters)).ok());
    ASSERT_TRUE(client.attached());
  }
}

class KilledReplicas : public SharedMemoryTest {
 protected:
  std::unique_ptr<ChildProcess> StartReplica(uint64_t replica) {
    setenv(kChild, absl::StrCat(server_.address, " ", directory_, " ", replica).c_str(), 1);
    setenv("TMPDIR", ::testing::TempDir().c_str(), 1);
    return std::make_unique<ChildProcess>(
        std::vector<std::string>{std::filesystem::read_symlink("/proc/self/exe").string(),
                                 "--gtest_also_run_disabled_tests",
                                 "--gtest_filter=SharedMemoryChild.DISABLED_Replica"},
        ::testing::TempDir() + "/child.log");
  }
  uint64_t Begun(uint64_t replica) const {
    const ShardSnapshot snapshot = shard_->Snapshot();
    for (const ReplicaLedgerEntry& push : snapshot.header.ledger()) {
      if (push.replica_id() == replica) return push.sequence();
    }
    return 0;
  }
  // The parameters must contain what the ledger counts as applied, up to the very key.
  void ExpectCoherent() const {
    const ShardSnapshot snapshot = shard_->Snapshot();
    for (int64_t i = 0; i < kSize; ++i) {
      float applied = 0;
      for (const ReplicaLedgerEntry& push : snapshot.header.ledger()) {
        applied += static_cast<float>(push.sequence() - 1) +
                   (shard_->range().begin + i < static_cast<int64_t>(push.next_key()) ? 1.0f : 0.0f);
      }
      ASSERT_EQ(snapshot.parameters[i], -applied) << i;
    }
  }
};

// Runs 120 replicas, 4 at a time, and kills each before, while or after it attaches, pushes or fetches.
TEST_F(KilledReplicas, LeaveTheShardWhole) {
  const int64_t descriptors = FilesIn("/proc/self/fd");
  Random random(20121222);
  uint64_t killed_under_way = 0;
  for (uint64_t round = 0; round < 30; ++round) {
    std::vector<std::unique_ptr<ChildProcess>> replicas;
    for (uint64_t i = 1; i <= 4; ++i) replicas.push_back(StartReplica(4 * round + i));
    for (uint64_t i = 1; i <= 4; ++i) {
      const uint64_t pushes = random.Next() % 4;
      ASSERT_TRUE(WaitFor([&] { return Begun(4 * round + i) >= pushes; })) << replicas[i - 1]->Output();
      absl::SleepFor(absl::Microseconds(random.Next() % (pushes == 0 ? 60'000 : 6'000)));
      replicas[i - 1]->Signal(SIGKILL);
      EXPECT_EQ(replicas[i - 1]->Wait(), 128 + SIGKILL) << replicas[i - 1]->Output();
      if (Begun(4 * round + i) > 0) ++killed_under_way;
    }
    ASSERT_TRUE(WaitFor([&] { return shared_->sessions() == 0; }));
    ASSERT_NO_FATAL_FAILURE(ExpectCoherent());
  }
  EXPECT_GT(killed_under_way, 60);
  EXPECT_EQ(FilesIn(directory_), 0);
  EXPECT_THAT(FileText("/proc/self/maps"), Not(HasSubstr("memfd:downpour")));
  // gRPC closes its connections at a time of its own choice.
  EXPECT_TRUE(WaitFor([&] { return FilesIn("/proc/self/fd") <= descriptors; }));
  const auto client = Client(directory_);
  ExpectServed(*client);
  EXPECT_TRUE(client->attached());
}

}  // namespace
}  // namespace downpour
