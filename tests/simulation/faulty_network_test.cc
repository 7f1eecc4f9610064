// Where on the data's way: from push to parameters over a faulty network, with replicas and shards that
// crash; an integer oracle says what the parameters must be after every event.
//
// Hundreds of seeds run; DOWNPOUR_SIMULATION_SEED=N replays one.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/shard_map.h"
#include "gtest/gtest.h"
#include "server/checkpointer.h"
#include "tests/testing/faulty_shard_client.h"

namespace downpour {
namespace {

constexpr int64_t kParameters = 41;
constexpr int kShards = 3;
constexpr int kReplicas = 5;
constexpr int64_t kChunk = 4;
constexpr int kEvents = 600;
constexpr double kRestart = 0.2;  // of a shard that is down, after each event
constexpr uint64_t kSeeds = 300;

using PushId = std::tuple<uint64_t, uint64_t, uint64_t>;  // replica, incarnation, sequence

PushId IdOf(const PushHeader& header) { return {header.replica_id, header.incarnation, header.sequence}; }

// Small integers, so that float32 sums are exact: what the push adds to parameter `key`.
float GradientAt(const PushId& push, int64_t key) {
  const auto [replica, incarnation, sequence] = push;
  return static_cast<float>(RandomAt(replica * 1000003 + incarnation * 1009 + sequence, key) % 15) - 7;
}

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed),
        network_(
            seed, {}, [this](uint32_t shard) { return hosts_[shard].shard.get(); },
            [this](const FaultyNetwork::Message& message, const absl::StatusOr<PushOutcome>& outcome) {
              Delivered(message, outcome);
            }) {
    for (int i = 0; i < kShards; ++i) {
      Host& host = hosts_[i];
      host.options.run = {"run", 1};
      host.options.shard = i;
      host.options.range = ShardMap::Create(kParameters, kShards)->range(i);
      host.options.layout = *ParameterLayout::Create({{"w", {kParameters}}});
      host.options.optimizer.set_kind(OptimizerDescription::SGD);
      host.options.optimizer.set_learning_rate(1);
      host.shard = *ParameterShard::Create(host.options, std::vector<float>(host.options.range.size()));
      Checkpoint(host);
    }
    for (int i = 0; i < kReplicas; ++i)
      replicas_[i].header = {static_cast<uint64_t>(i + 1), ++incarnations_, 1, 0};
  }

  void Run() {
    for (int event = 0; event < kEvents && !::testing::Test::HasFailure(); ++event) {
      const double what = random_.Uniform();
      if (what < 0.75) {
        TryToPush(replicas_[random_.Below(kReplicas)]);
      } else if (what < 0.91) {
        network_.DeliverOneDelayed();
      } else if (what < 0.94) {
        CrashReplica(replicas_[random_.Below(kReplicas)]);
      } else if (what < 0.97) {
        Checkpoint(hosts_[random_.Below(kShards)]);
      } else {
        CrashShard(hosts_[random_.Below(kShards)]);
      }
      for (Host& host : hosts_) {
        if (host.shard == nullptr && random_.Uniform() < kRestart) Restore(host);
      }
      Check();
    }
    SettleDown();
  }

  int64_t pushes_done() const { return pushes_done_; }

 private:
  // What must be true of a shard, and what was so at its last checkpoint.
  struct Expected {
    std::map<PushId, int64_t> applied_to;  // next key, of every push that has begun
    std::set<PushId> acknowledged;
  };
  struct Host {
    ParameterShard::Options options;
    std::unique_ptr<ParameterShard> shard;  // null: down
    Expected expected, checkpointed;
  };
  struct Replica {
    PushHeader header;              // of the push it is at
    std::set<int> acknowledged_by;  // shards
  };

  std::string CheckpointPath(const Host& host) const {
    static const std::string directory = [] {
      const std::string path = std::filesystem::exists("/dev/shm") ? "/dev/shm/" : ::testing::TempDir() + "/";
      return path + "faulty_network_test-" + std::to_string(getpid());
    }();
    return directory + "-" + std::to_string(host.options.shard) + ".ckpt";
  }

  void TryToPush(Replica& replica) {
    const int shard = static_cast<int>(random_.Below(kShards));
    const KeyRange range = hosts_[shard].options.range;
    FaultyShardClient client(&network_, shard, range, kChunk);
    std::vector<float> parameters(range.size());
    const absl::StatusOr<uint64_t> version = client.Fetch(absl::MakeSpan(parameters));
    if (!version.ok()) return;
    replica.header.fetched_version = *version;
    std::vector<float> gradient(range.size());
    for (int64_t i = 0; i < range.size(); ++i)
      gradient[i] = GradientAt(IdOf(replica.header), range.begin + i);
    const absl::StatusOr<PushOutcome> outcome = client.Push(replica.header, gradient);
    // What a client may see: the wire's failures, and a gap where the wire lost a chunk before this one.
    if (!outcome.ok()) {
      EXPECT_TRUE(absl::IsUnavailable(outcome.status()) || absl::IsOutOfRange(outcome.status()))
          << outcome.status();
      return;
    }
    EXPECT_LE(outcome->staleness, outcome->version);
    hosts_[shard].expected.acknowledged.insert(IdOf(replica.header));
    replica.acknowledged_by.insert(shard);
    if (replica.acknowledged_by.size() < kShards) return;
    replica.acknowledged_by.clear();
    ++replica.header.sequence;
    ++pushes_done_;
  }

  // Notes how far the ledger says the message's push has got.
  void Delivered(const FaultyNetwork::Message& message, const absl::StatusOr<PushOutcome>& outcome) {
    Host& host = hosts_[message.shard];
    const ShardSnapshot snapshot = host.shard->Snapshot();
    for (const ReplicaLedgerEntry& entry : snapshot.header.ledger()) {
      const PushId id{entry.replica_id(), entry.incarnation(), entry.sequence()};
      int64_t& applied_to = host.expected.applied_to[id];
      EXPECT_LE(applied_to, static_cast<int64_t>(entry.next_key())) << "a push went back";
      applied_to = static_cast<int64_t>(entry.next_key());
    }
    const int64_t end = message.begin + static_cast<int64_t>(message.gradient.size());
    if (outcome.ok() && !outcome->duplicate) {
      EXPECT_GE(host.expected.applied_to[IdOf(message.header)], end);
    }
  }

  void CrashReplica(Replica& replica) {
    replica.header.incarnation = ++incarnations_;
    replica.header.sequence = 1;
    replica.acknowledged_by.clear();
  }

  void Checkpoint(Host& host) {
    if (host.shard == nullptr) return;
    ASSERT_EQ(SaveShardSnapshot(CheckpointPath(host), host.shard->Snapshot()), absl::OkStatus());
    host.checkpointed = host.expected;
  }

  // A crash loses what came after the last checkpoint.
  void CrashShard(Host& host) {
    host.shard.reset();
    host.expected = host.checkpointed;
  }

  void Restore(Host& host) {
    const absl::StatusOr<ShardSnapshot> snapshot = LoadShardSnapshot(CheckpointPath(host));
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    auto restored = ParameterShard::Restore(host.options, *snapshot);
    ASSERT_TRUE(restored.ok()) << restored.status();
    host.shard = *std::move(restored);
  }

  // The parameters are the sum of what was pushed, each push once and as far as the ledger says, and what is
  // acknowledged is in them.
  void Check() {
    for (const Host& host : hosts_) {
      if (host.shard == nullptr) continue;
      const KeyRange range = host.options.range;
      std::vector<float> expected(range.size());
      for (const auto& [push, applied_to] : host.expected.applied_to) {
        for (int64_t key = range.begin; key < applied_to; ++key)
          expected[key - range.begin] -= GradientAt(push, key);
      }
      std::vector<float> parameters(range.size());
      ASSERT_EQ(host.shard->Read(range, absl::MakeSpan(parameters)), absl::OkStatus());
      ASSERT_EQ(parameters, expected);
      for (const PushId& push : host.expected.acknowledged) {
        ASSERT_EQ(host.expected.applied_to.at(push), range.end) << "an acknowledged push is not whole";
      }
    }
  }

  // Everything comes up, everything under way arrives, and every replica's push gets through.
  void SettleDown() {
    for (Host& host : hosts_) {
      if (host.shard == nullptr) Restore(host);
    }
    while (network_.DeliverOneDelayed()) {
    }
    for (Replica& replica : replicas_) {
      const uint64_t sequence = replica.header.sequence;
      for (int attempt = 0; replica.header.sequence == sequence; ++attempt) {
        ASSERT_LT(attempt, 1000) << "a push does not get through";
        TryToPush(replica);
      }
    }
    while (network_.DeliverOneDelayed()) {
    }
    Check();
    for (const Host& host : hosts_) std::filesystem::remove(CheckpointPath(host));
  }

  Random random_;
  uint64_t incarnations_ = 0;
  Host hosts_[kShards];
  Replica replicas_[kReplicas];
  int64_t pushes_done_ = 0;
  FaultyNetwork network_;
};

TEST(FaultyNetworkTest, ParametersAreTheSumOfThePushesEachOnce) {
  const char* const replay = std::getenv("DOWNPOUR_SIMULATION_SEED");
  const uint64_t first = replay != nullptr ? std::strtoull(replay, nullptr, 10) : 0;
  const uint64_t end = replay != nullptr ? first + 1 : kSeeds;
  int64_t pushes = 0;
  for (uint64_t seed = first; seed < end && !HasFailure(); ++seed) {
    SCOPED_TRACE("replay with DOWNPOUR_SIMULATION_SEED=" + std::to_string(seed));
    Simulation simulation(seed);
    simulation.Run();
    pushes += simulation.pushes_done();
  }
  EXPECT_GT(pushes, static_cast<int64_t>(end - first) * 20) << "the simulation hardly gets a push through";
}

}  // namespace
}  // namespace downpour
