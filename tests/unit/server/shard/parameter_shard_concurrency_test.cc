// Where on the data's way: the shard; pushes, fetches and snapshots from many threads.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/parameter_shard.h"

namespace downpour {
namespace {

using ::testing::Each;

constexpr int kReplicas = 8;
constexpr uint64_t kForEver = 100000;  // sums stay below 2^24
constexpr int64_t kSmallestChunk = 30000;
constexpr int64_t kSize = ParameterShard::kSegmentElements + 1000;  // two segments
constexpr KeyRange kRange{50, 50 + kSize};

std::unique_ptr<ParameterShard> NewShard() {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"weights", {kRange.end}}});
  options.range = kRange;
  options.optimizer.set_kind(OptimizerDescription::SGD);
  options.optimizer.set_learning_rate(1);
  return *ParameterShard::Create(options, std::vector<float>(kSize));
}

// Replicas 0 to 7, a thread each. Every push of replica r adds r + 1 to every parameter: sums of small
// integers, exact in float32. Each goes on until it has made `pushes`, or until Stop().
class Pushers {
 public:
  Pushers(ParameterShard* shard, uint64_t pushes) {
    for (uint64_t replica = 0; replica < kReplicas; ++replica) {
      threads_.emplace_back([this, shard, replica, pushes] { PushAll(shard, replica, pushes); });
    }
  }
  ~Pushers() { Stop(); }

  void Wait() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void Stop() {
    stop_ = true;
    Wait();
  }

 private:
  void PushAll(ParameterShard* shard, uint64_t replica, uint64_t pushes) {
    const std::vector<float> gradient(kSize, -static_cast<float>(replica + 1));
    const int64_t chunk = kSmallestChunk + 7000 * static_cast<int64_t>(replica);
    for (uint64_t sequence = 1; sequence <= pushes && !stop_; ++sequence) {
      const PushHeader header{replica, 1, sequence, shard->version()};
      for (int64_t offset = 0; offset < kSize; offset += chunk) {
        const auto piece = absl::MakeConstSpan(gradient).subspan(offset, chunk);
        ASSERT_TRUE(shard->ApplyChunk(header, kRange.begin + offset, piece).ok());
      }
    }
  }

  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

TEST(ParameterShardConcurrency, EightThreadsPushesSumExactly) {
  constexpr int kPushes = 40;
  const auto shard = NewShard();
  Pushers(shard.get(), kPushes).Wait();
  std::vector<float> parameters(kSize);
  ASSERT_TRUE(shard->Read(kRange, absl::MakeSpan(parameters)).ok());
  EXPECT_THAT(parameters, Each(kPushes * kReplicas * (kReplicas + 1) / 2));
  EXPECT_EQ(shard->version(), kReplicas * kPushes);
}

// What the snapshot's ledger says is applied: of each replica, all pushes before the last, and the last up to
// next_key.
std::vector<float> SumOfLedger(const ShardCheckpoint& header) {
  std::vector<float> sums(kSize);
  for (const ReplicaLedgerEntry& push : header.ledger()) {
    const float value = static_cast<float>(push.replica_id() + 1);
    for (int64_t i = 0; i < kSize; ++i) {
      const bool last_applied = kRange.begin + i < static_cast<int64_t>(push.next_key());
      sums[i] += value * static_cast<float>(push.sequence() - (last_applied ? 0 : 1));
    }
  }
  return sums;
}

TEST(ParameterShardConcurrency, ASnapshotHoldsExactlyWhatItsLedgerSays) {
  const auto shard = NewShard();
  const Pushers pushers(shard.get(), kForEver);
  for (int partial = 0; partial < 30;) {  // until enough snapshots fell into a push
    const ShardSnapshot snapshot = shard->Snapshot();
    uint64_t complete = 0;
    for (const ReplicaLedgerEntry& push : snapshot.header.ledger()) {
      const bool whole = static_cast<int64_t>(push.next_key()) == kRange.end;
      complete += push.sequence() - (whole ? 0 : 1);
      partial += whole ? 0 : 1;
    }
    ASSERT_EQ(snapshot.parameters, SumOfLedger(snapshot.header));
    ASSERT_EQ(snapshot.header.version(), complete);
  }
}

TEST(ParameterShardConcurrency, TwoCopiesOfOnePushAtOnceAreAppliedOnce) {
  const auto shard = NewShard();
  const std::vector<float> gradient(kSize, -1.f);
  for (uint64_t sequence = 1; sequence <= 50; ++sequence) {
    std::vector<std::thread> copies;
    for (int copy = 0; copy < 3; ++copy) {
      copies.emplace_back([&] {
        for (int64_t offset = 0; offset < kSize; offset += 50000) {
          const auto piece = absl::MakeConstSpan(gradient).subspan(offset, 50000);
          ASSERT_TRUE(shard->ApplyChunk({1, 1, sequence, 0}, kRange.begin + offset, piece).ok());
        }
      });
    }
    for (std::thread& copy : copies) copy.join();
  }
  EXPECT_THAT(shard->Snapshot().parameters, Each(50));
  EXPECT_EQ(shard->version(), 50);
}

TEST(ParameterShardConcurrency, AReadSeesEachSegmentBetweenPushes) {
  const auto shard = NewShard();
  const Pushers pushers(shard.get(), kForEver);
  std::vector<float> parameters(kSmallestChunk);  // which every replica applies at once
  for (float last = 0; last < 1000;) {
    ASSERT_TRUE(shard->Read({kRange.begin, kRange.begin + kSmallestChunk}, absl::MakeSpan(parameters)).ok());
    ASSERT_THAT(parameters, Each(parameters[0]));
    ASSERT_GE(parameters[0], last);
    last = parameters[0];
  }
}

TEST(ParameterShardConcurrency, WhatIsLentStaysOneMomentsParameters) {
  const auto shard = NewShard();
  const Pushers pushers(shard.get(), kForEver);
  const KeyRange keys{kRange.begin, kRange.begin + kSmallestChunk};  // which every replica applies at once
  for (float last = 0; last < 1000;) {
    const auto floats = shard->Lend(keys, /*bfloat16=*/false), bfloats = shard->Lend(keys, /*bfloat16=*/true);
    ASSERT_TRUE(floats.ok() && bfloats.ok());
    const uint64_t lent_at = shard->version();
    const float first = (*floats)[0].parameters.floats()[0];
    while (shard->version() < lent_at + 2) std::this_thread::yield();
    ASSERT_THAT((*floats)[0].parameters.floats(), Each(first));
    ASSERT_THAT((*bfloats)[0].parameters.bfloats(), Each((*bfloats)[0].parameters.bfloats()[0]));
    ASSERT_GE(first, last);
    last = first;
  }
}

}  // namespace
}  // namespace downpour
