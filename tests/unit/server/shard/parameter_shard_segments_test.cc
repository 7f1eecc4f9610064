// Where on the data's way: the shard; a push that several threads apply, from memory that others may
// be writing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "server/shard/bounded_executor.h"
#include "server/shard/parallel_for.h"
#include "server/shard/parameter_shard.h"
#include "tests/testing/integer_shard.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSegment = ParameterShard::kSegmentElements;
constexpr int64_t kSize = 7 * kSegment + 123;
const PushHeader kHeader{.replica_id = 1, .incarnation = 1, .sequence = 1};

class ParameterShardSegments : public ::testing::Test {
 protected:
  absl::StatusOr<PushOutcome> Apply(const PushHeader& header, KeyRange keys) {
    return shard_->ApplySegments(
        header, keys, 1,
        [this](size_t, int64_t begin, absl::Span<float> copy) {
          ++reads_;
          std::copy_n(&gradient_[begin - 1000], copy.size(), copy.begin());
        },
        parallel_for_);
  }
  KeyRange Keys(int64_t begin, int64_t end) const { return {1000 + begin, 1000 + end}; }
  // Keys applied, counted from the first; -1 if there is a gap.
  int64_t Applied() const {
    std::vector<float> parameters(kSize);
    EXPECT_TRUE(shard_->Read(shard_->range(), absl::MakeSpan(parameters)).ok());
    const auto end = std::find(parameters.begin(), parameters.end(), 0.0f);
    return std::all_of(end, parameters.end(), [](float p) { return p == 0; }) ? end - parameters.begin() : -1;
  }

  const std::shared_ptr<ParameterShard> shard_ = IntegerShard(kSize);
  std::vector<float> gradient_ = std::vector<float>(kSize, 1);
  std::atomic<int> reads_ = 0;
  BoundedExecutor executor_{3, 10};
  ParallelFor parallel_for_ = ParallelForOn(&executor_, 3);
};

TEST_F(ParameterShardSegments, AppliesEachKeyOnce) {
  const absl::StatusOr<PushOutcome> outcome = Apply(kHeader, shard_->range());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->version, 1);
  EXPECT_FALSE(outcome->duplicate);
  EXPECT_EQ(Applied(), kSize);
  EXPECT_EQ(reads_, 8);
  EXPECT_TRUE(Apply(kHeader, shard_->range())->duplicate);
  EXPECT_EQ(reads_, 8);
  std::vector<float> parameters(kSize);
  ASSERT_TRUE(shard_->Read(shard_->range(), absl::MakeSpan(parameters)).ok());
  EXPECT_THAT(parameters, ::testing::Each(-1));
}

TEST_F(ParameterShardSegments, GoesOnWhereAnotherWayStopped) {
  ASSERT_TRUE(shard_->ApplyChunk(kHeader, 1000, absl::MakeSpan(gradient_).first(kSegment - 5)).ok());
  ASSERT_TRUE(shard_->ApplyChunk(kHeader, 1000 + kSegment - 5, absl::MakeSpan(gradient_).first(10)).ok());
  EXPECT_TRUE(absl::IsOutOfRange(Apply(kHeader, Keys(2 * kSegment, 3 * kSegment)).status()));
  ASSERT_TRUE(Apply(kHeader, Keys(0, kSegment)).ok());  // all of it is applied
  EXPECT_EQ(Applied(), kSegment + 5);
  ASSERT_TRUE(Apply(kHeader, Keys(0, 3 * kSegment)).ok());
  EXPECT_EQ(Applied(), 3 * kSegment);
  EXPECT_EQ(shard_->version(), 0);
  ASSERT_TRUE(Apply(kHeader, Keys(3 * kSegment, kSize)).ok());
  EXPECT_EQ(Applied(), kSize);
  EXPECT_EQ(shard_->version(), 1);
}

TEST_F(ParameterShardSegments, RejectsFromTheFirstBadSegmentOn) {
  for (int trial = 0; trial < 20; ++trial) {
    const std::shared_ptr<ParameterShard> shard = IntegerShard(kSize);
    gradient_[3 * kSegment + 7] = std::numeric_limits<float>::quiet_NaN();
    gradient_[5 * kSegment] = std::numeric_limits<float>::infinity();
    const absl::Status status = shard
                                    ->ApplySegments(
                                        kHeader, shard->range(), 1,
                                        [&](size_t, int64_t begin, absl::Span<float> copy) {
                                          std::copy_n(&gradient_[begin - 1000], copy.size(), copy.begin());
                                        },
                                        parallel_for_)
                                    .status();
    ASSERT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("gradient of key ", 1000 + 3 * kSegment + 7)));
    EXPECT_EQ(shard->Status().pushes_rejected(), 1);
    EXPECT_EQ(shard->version(), 0);
    EXPECT_EQ(shard->Snapshot().header.ledger(0).next_key(), 1000 + 3 * kSegment);
    std::vector<float> parameters(kSize);
    ASSERT_TRUE(shard->Read(shard->range(), absl::MakeSpan(parameters)).ok());
    EXPECT_EQ(std::count(parameters.begin(), parameters.end(), 0.0f), kSize - 3 * kSegment);
    EXPECT_EQ(parameters[3 * kSegment - 1], -1);
  }
}

// What a snapshot counts as applied is in its parameters, to the key, while two replicas push.
TEST_F(ParameterShardSegments, SnapshotsAreCoherent) {
  constexpr uint64_t kPushes = 15;
  std::vector<std::jthread> pushers;
  std::atomic<int> running = 2;
  for (uint64_t replica = 1; replica <= 2; ++replica) {
    pushers.emplace_back([&, replica] {
      for (uint64_t sequence = 1; sequence <= kPushes; ++sequence) {
        for (int64_t begin = 0; begin < kSize; begin += 3 * kSegment) {
          EXPECT_TRUE(
              Apply({replica, 1, sequence, 0}, Keys(begin, std::min(begin + 3 * kSegment, kSize))).ok());
        }
      }
      --running;
    });
  }
  do {
    const ShardSnapshot snapshot = shard_->Snapshot();
    for (int64_t i = 0; i < kSize; i += 1000) {
      float applied = 0;
      for (const ReplicaLedgerEntry& push : snapshot.header.ledger()) {
        applied += static_cast<float>(push.sequence() - 1) +
                   (1000 + i < static_cast<int64_t>(push.next_key()) ? 1.0f : 0.0f);
      }
      ASSERT_EQ(snapshot.parameters[i], -applied) << i;
    }
  } while (running > 0);
  pushers.clear();
  EXPECT_EQ(shard_->version(), 2 * kPushes);
}

TEST(ParallelForTest, CallsEachOnceAlsoWhenNobodyHelps) {
  BoundedExecutor executor(2, 4);
  for (const int helpers : {0, 1, 2, 9}) {
    for (const int64_t n : {0, 1, 2, 100}) {
      std::vector<std::atomic<int>> calls(n);
      ParallelForOn(&executor, helpers)(n, [&](int64_t i) { ++calls[i]; });
      for (const std::atomic<int>& count : calls) EXPECT_EQ(count, 1);
    }
  }
  BoundedExecutor none(0, 0);
  int sum = 0;
  ParallelForOn(&none, 3)(10, [&](int64_t i) { sum += static_cast<int>(i); });
  EXPECT_EQ(sum, 45);
}

// f(i) may wait for lower ones, from within the executor too.
TEST(ParallelForTest, OrderedWaitsDoNotLock) {
  BoundedExecutor executor(2, 100);
  std::atomic<int> finished = 0;
  for (int task = 0; task < 8; ++task) {
    ASSERT_TRUE(executor.TryRun([&] {
      std::atomic<int64_t> turn = 0;
      ParallelForOn(&executor, 1)(50, [&](int64_t i) {
        while (turn != i) std::this_thread::yield();
        ++turn;
      });
      ++finished;
    }));
  }
  while (finished < 8) std::this_thread::yield();
}

}  // namespace
}  // namespace downpour
