// Where on the data's way: guards the ends of server/server_main.cc and server/coordinator_main.cc: what a
// program has acknowledged when it is told to stop is in its last checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/back_off.h"
#include "common/layout/network_layout.h"
#include "common/program/run_program.h"
#include "common/wire/run_identity.h"
#include "server/coordinator/coordinator_checkpointer.h"
#include "server/shard/checkpointer.h"
#include "tests/testing/coordinator_cluster.h"
#include "tests/testing/processes.h"
#include "worker/transport/grpc_shared_memory_client.h"

namespace downpour {
namespace {

constexpr int kReplicas = 3;

// A coordinator and one shard, whose checkpoint takes a while to write, and replicas that do without data.
class CleanStop : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    more_settings_ = {"--cluster.shards=1", "--network.hidden_width=[1000,1000]",
                      "--cluster.replica_timeout_s=60", "--checkpoint.every_s=60"};
    StartCoordinator();
    shard_ = StartShard(0);
  }

  JoinReply Join() const { return Processes::Join(SmallJoin("host")); }

  std::unique_ptr<ChildProcess> shard_;
};

// One replica, which pushes ones until a push fails.
class PushingReplica {
 public:
  PushingReplica(const JoinReply& joined, SharedMemoryResource* memory)
      : replica_id_(joined.replica_id()), incarnation_(joined.incarnation()), token_(joined.token()) {
    const auto layout = NetworkLayout(joined.description().network(), 6, 4);
    GrpcShardClient::Options options;
    options.address = joined.shards(0).address();
    options.range = {0, layout->size()};
    options.run = ToRunKey(joined.run());
    options.retry.give_up_after = absl::ZeroDuration();
    gradient_.assign(layout->size(), 1.f);
    if (memory == nullptr) {
      client_ = std::make_unique<GrpcShardClient>(options);
    } else {
      client_ = std::make_unique<SharedMemoryShardClient>(
          SharedMemoryShardClient::Options{options, "/dev/shm", memory});
    }
  }

  // After its first push, which is refused until the shard has heard that the replica has joined.
  void PushUntilAFailure() {
    do {
      status_ = client_->Push({replica_id_, incarnation_, pushes_ + 1, 0, token_}, gradient_).status();
      if (status_.ok()) ++pushes_;
    } while (status_.ok() || pushes_ == 0);
  }

  uint64_t replica_id() const { return replica_id_; }
  uint64_t pushes() const { return pushes_; }  // acknowledged
  const absl::Status& status() const { return status_; }

 private:
  const uint64_t replica_id_, incarnation_;
  const std::string token_;
  std::vector<float> gradient_;
  std::unique_ptr<ShardClient> client_;
  std::atomic<uint64_t> pushes_ = 0;
  absl::Status status_;
};

class CleanStopOfAShard : public CleanStop, public ::testing::WithParamInterface<bool> {};

TEST_P(CleanStopOfAShard, EveryAcknowledgedPushIsInTheCheckpoint) {
  const auto memory = GetParam() ? *SharedMemoryResource::Create() : nullptr;
  std::vector<std::unique_ptr<PushingReplica>> replicas;
  std::vector<std::thread> threads;
  for (int i = 0; i < kReplicas; ++i)
    replicas.push_back(std::make_unique<PushingReplica>(Join(), memory.get()));
  for (const auto& replica : replicas) threads.emplace_back([&] { replica->PushUntilAFailure(); });
  EXPECT_TRUE(WaitFor([&] { return replicas[0]->pushes() > 3; }));
  shard_->Signal(SIGTERM);
  EXPECT_EQ(shard_->Wait(), kExitInterrupted) << shard_->Output();
  for (std::thread& thread : threads) thread.join();

  const auto snapshot = LoadShardSnapshot(folder_ + "/run/checkpoints/shard-0.ckpt");
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  for (const auto& replica : replicas) {
    EXPECT_TRUE(IsTransient(replica->status())) << replica->status();
    const auto& ledger = snapshot->header.ledger();
    const auto last = std::find_if(ledger.begin(), ledger.end(), [&](const ReplicaLedgerEntry& entry) {
      return entry.replica_id() == replica->replica_id();
    });
    ASSERT_NE(last, ledger.end());
    const uint64_t applied =
        last->next_key() == snapshot->header.end() ? last->sequence() : last->sequence() - 1;
    EXPECT_GE(applied, replica->pushes()) << "acknowledged, and lost";
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, CleanStopOfAShard, ::testing::Bool(),
                         [](const auto& shared) { return shared.param ? "SharedMemory" : "Grpc"; });

TEST_F(CleanStop, EveryAnsweredReportIsInTheCoordinatorsCheckpoint) {
  std::vector<ReportRequest> reports(kReplicas);  // the last that was answered
  std::vector<absl::Status> statuses(kReplicas);
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (ReportRequest& report : reports) {
    const JoinReply joined = Join();
    report.set_replica_id(joined.replica_id());
    report.set_incarnation(joined.incarnation());
    report.set_token(joined.token());
  }
  for (int i = 0; i < kReplicas; ++i) {
    threads.emplace_back([&, i] {
      for (ReportRequest next = reports[i];; reports[i] = next, ++answered) {
        next.set_report(next.report() + 1);
        statuses[i] = stub_->Call(&ClusterCoordinator::Stub::Report, next).status();
        if (!statuses[i].ok()) return;
      }
    });
  }
  EXPECT_TRUE(WaitFor([&] { return answered > 300; }));
  coordinator_->Signal(SIGTERM);
  EXPECT_EQ(coordinator_->Wait(), kExitInterrupted) << coordinator_->Output();
  for (std::thread& thread : threads) thread.join();

  const auto checkpoint = LoadCoordinatorCheckpoint(folder_ + "/run/checkpoints/coordinator.ckpt");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  ASSERT_EQ(checkpoint->membership().replicas_size(), kReplicas);
  for (int i = 0; i < kReplicas; ++i) {
    EXPECT_TRUE(IsTransient(statuses[i])) << statuses[i];
    EXPECT_GE(checkpoint->membership().replicas(i).report(), reports[i].report()) << "answered, and lost";
  }
}

}  // namespace
}  // namespace downpour
