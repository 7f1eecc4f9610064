// Where on the data's way: guards exactly-once in server/shard/, from push to parameters: the network is
// faulty, replicas and shards crash, and some gradients are not finite. After every event, an oracle of
// integers says what parameters, versions, staleness and counts must be.
//
// It runs hundreds of seeds; DOWNPOUR_SIMULATION_SEED=N replays one.
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/layout/shard_map.h"
#include "gtest/gtest.h"
#include "server/shard/checkpointer.h"
#include "tests/testing/faulty_shard_client.h"
#include "tests/testing/simulation_seeds.h"

namespace downpour {
namespace {

constexpr int64_t kParameters = 41;
constexpr int kShards = 3;
constexpr int kReplicas = 5;
constexpr int64_t kChunk = 4;
constexpr int kEvents = 600;
constexpr double kRestart = 0.2;            // probability, after each event, of a shard that is down
constexpr uint64_t kOneInSoManyIsBad = 50;  // one push in 50 has a NaN
constexpr uint64_t kSeeds = 150;            // the same at every run, and as many new ones

using PushId = std::tuple<uint64_t, uint64_t, uint64_t>;  // replica, incarnation, sequence

PushId IdOf(const PushHeader& header) { return {header.replica_id, header.incarnation, header.sequence}; }

uint64_t SeedOf(const PushId& push) {
  const auto [replica, incarnation, sequence] = push;
  return replica * 1000003 + incarnation * 1009 + sequence;
}

// The key at which the push has a NaN; -1: it has none.
int64_t BadKeyOf(const PushId& push) {
  if (RandomAt(SeedOf(push), kParameters) % kOneInSoManyIsBad != 0) return -1;
  return static_cast<int64_t>(RandomAt(SeedOf(push), kParameters + 1) % kParameters);
}

// What the push subtracts from parameter `key`: a small integer, so that float32 sums are exact.
float GradientAt(const PushId& push, int64_t key) {
  if (key == BadKeyOf(push)) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(RandomAt(SeedOf(push), key) % 15) - 7;
}

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed),
        incarnations_(1000 * seed),  // so that no two seeds push the same
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
  int64_t rejections() const { return rejections_; }

 private:
  // What must be true of a shard now, or was true at its last checkpoint.
  struct Expected {
    std::map<PushId, int64_t> applied_to;  // next key of every push that has begun
    std::map<PushId, uint64_t> staleness;  // of the same pushes, counted by this test
    uint64_t whole = 0;                    // number of complete pushes: the shard's version
    std::set<PushId> acknowledged;
    std::set<PushId> rejected;
  };
  struct Host {
    ParameterShard::Options options;
    std::unique_ptr<ParameterShard> shard;  // null: down
    Expected expected, checkpointed;
  };
  struct Replica {
    PushHeader header;          // of its current push
    std::set<int> answered_by;  // shards that have applied it or rejected it
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
    FaultyShardClient client(&network_, {static_cast<uint32_t>(shard), range, kChunk});
    std::vector<float> parameters(range.size());
    const absl::StatusOr<uint64_t> version = client.Fetch(absl::MakeSpan(parameters));
    if (!version.ok()) return;
    EXPECT_EQ(*version, hosts_[shard].expected.whole);
    replica.header.fetched_version = *version;
    const PushId id = IdOf(replica.header);
    std::vector<float> gradient(range.size());
    for (int64_t i = 0; i < range.size(); ++i) gradient[i] = GradientAt(id, range.begin + i);
    const absl::StatusOr<PushOutcome> outcome = client.Push(replica.header, gradient);
    const int64_t bad_key = BadKeyOf(id);
    const bool bad_here = bad_key >= range.begin && bad_key < range.end;
    EXPECT_FALSE(bad_here && outcome.ok()) << "a push with a NaN is acknowledged";
    if (absl::IsInvalidArgument(outcome.status())) {
      EXPECT_TRUE(bad_here) << outcome.status();
    } else if (!outcome.ok()) {
      // A client may see the wire's failures, and a gap if the wire has lost an earlier chunk.
      EXPECT_TRUE(absl::IsUnavailable(outcome.status()) || absl::IsOutOfRange(outcome.status()))
          << outcome.status();
      return;
    } else {
      hosts_[shard].expected.acknowledged.insert(id);
    }
    replica.answered_by.insert(shard);
    if (replica.answered_by.size() < kShards) return;
    replica.answered_by.clear();
    ++replica.header.sequence;
    bad_key >= 0 ? ++rejections_ : ++pushes_done_;
  }

  // Notes how far the message's push has got by the ledger; counts its staleness when it begins.
  void Delivered(const FaultyNetwork::Message& message, const absl::StatusOr<PushOutcome>& outcome) {
    Host& host = hosts_[message.shard];
    const PushId sent = IdOf(message.header);
    const uint64_t whole_before = host.expected.whole;
    const ShardSnapshot snapshot = host.shard->Snapshot();
    for (const ReplicaLedgerEntry& entry : snapshot.header.ledger()) {
      const PushId id{entry.replica_id(), entry.incarnation(), entry.sequence()};
      const auto [known, begins] = host.expected.applied_to.insert({id, host.options.range.begin});
      if (begins) {
        EXPECT_EQ(id, sent) << "a push begins that was not sent";
        const uint64_t fetched = message.header.fetched_version;
        host.expected.staleness[id] = whole_before > fetched ? whole_before - fetched : 0;
      }
      const auto applied_to = static_cast<int64_t>(entry.next_key());
      EXPECT_LE(known->second, applied_to) << "a push went back";
      host.expected.whole += known->second < applied_to && applied_to == host.options.range.end;
      known->second = applied_to;
    }
    if (absl::IsInvalidArgument(outcome.status())) host.expected.rejected.insert(sent);
    if (!outcome.ok() || outcome->duplicate) return;
    EXPECT_GE(host.expected.applied_to[sent], message.begin + static_cast<int64_t>(message.gradient.size()));
    EXPECT_EQ(outcome->staleness, host.expected.staleness[sent]);
  }

  void CrashReplica(Replica& replica) {
    replica.header.incarnation = ++incarnations_;
    replica.header.sequence = 1;
    replica.answered_by.clear();
  }

  void Checkpoint(Host& host) {
    if (host.shard == nullptr) return;
    ASSERT_EQ(SaveShardSnapshot(CheckpointPath(host), host.shard->Snapshot()), absl::OkStatus());
    host.checkpointed = host.expected;
  }

  // A crash loses everything after the last checkpoint.
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

  // The parameters must be the sum of the pushes, each once and as far as the ledger says. They must contain
  // every acknowledged push, and no NaN. Each rejected push must be counted once.
  void Check() {
    for (const Host& host : hosts_) {
      if (host.shard == nullptr) continue;
      const KeyRange range = host.options.range;
      ASSERT_EQ(host.shard->Status().pushes_rejected(), host.expected.rejected.size());
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

  // Starts every shard, delivers every message under way, and lets every replica's push succeed.
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
  uint64_t incarnations_;
  Host hosts_[kShards];
  Replica replicas_[kReplicas];
  int64_t pushes_done_ = 0;
  int64_t rejections_ = 0;
  FaultyNetwork network_;
};

TEST(FaultyNetworkTest, ParametersAreTheSumOfThePushesEachOnce) {
  const std::vector<uint64_t> seeds = SimulationSeeds(kSeeds, kSeeds);
  int64_t pushes = 0, rejections = 0;
  for (const uint64_t seed : seeds) {
    SCOPED_TRACE(HowToReplay(seed));
    Simulation simulation(seed);
    simulation.Run();
    pushes += simulation.pushes_done();
    rejections += simulation.rejections();
    if (HasFailure()) return;
  }
  EXPECT_GT(pushes, static_cast<int64_t>(seeds.size()) * 20) << "the simulation hardly gets a push through";
  EXPECT_TRUE(seeds.size() == 1 || rejections > pushes / 100) << "hardly a push has a NaN";
}

}  // namespace
}  // namespace downpour
