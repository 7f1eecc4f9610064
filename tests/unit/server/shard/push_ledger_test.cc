// Where on the data's way: inside the shard; which keys of which push are applied, and how often.
#include "server/shard/push_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr KeyRange kRange{100, 110};

PushHeader Push(uint64_t sequence, uint64_t incarnation = 1, uint64_t replica = 5) {
  return {.replica_id = replica, .incarnation = incarnation, .sequence = sequence};
}

class PushLedgerTest : public ::testing::Test {
 protected:
  explicit PushLedgerTest(const Rounds& rounds = {}) : ledger_(3, kRange, rounds) {}

  // As the shard does for a chunk of keys [begin, end).
  absl::StatusOr<PushOutcome> Chunk(const PushHeader& header, int64_t begin, int64_t end) {
    const auto kept = ledger_.EntryFor(header, begin, end - begin);
    if (!kept.ok()) return kept.status();
    PushLedger::Entry* const entry = kept->get();
    absl::MutexLock lock(&entry->mutex());
    const auto answer = ledger_.Admit(header, begin, entry);
    if (!answer.ok()) return answer.status();
    if (answer->has_value()) return **answer;
    absl::ReaderMutexLock snapshot(&ledger_.snapshot_mutex());
    for (int64_t key = static_cast<int64_t>(entry->push().next_key()); key < end; ++key) {
      applied_.emplace_back(header.sequence, key);
      ledger_.Advance(key + 1, entry);
    }
    return ledger_.Outcome(*entry);
  }
  absl::StatusOr<PushOutcome> Whole(const PushHeader& header) {
    return Chunk(header, kRange.begin, kRange.end);
  }
  ShardCheckpoint Copy() {
    ShardCheckpoint header;
    ledger_.FillCounters(&header);
    absl::MutexLock snapshot(&ledger_.snapshot_mutex());
    ledger_.CopyTo(&header);
    return header;
  }
  // What Chunk() would have stepped since the last call: pairs of sequence and key.
  std::vector<std::pair<uint64_t, int64_t>> TakeApplied() { return std::exchange(applied_, {}); }

  PushLedger ledger_;
  std::vector<std::pair<uint64_t, int64_t>> applied_;
};

void ExpectStatus(const absl::Status& status, absl::StatusCode code, const std::string& message) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST_F(PushLedgerTest, CountsANewPushAtItsLastKey) {
  EXPECT_EQ(Chunk(Push(1), 100, 104)->version, 0);
  EXPECT_EQ(Chunk(Push(1), 104, 110)->version, 1);
  EXPECT_EQ(TakeApplied().size(), 10);
  EXPECT_EQ(ledger_.version(), 1);
}

TEST_F(PushLedgerTest, ARepeatOfAnAppliedPushIsADuplicateAndCountedOnce) {
  ASSERT_TRUE(Whole(Push(1)).ok());
  TakeApplied();
  for (const int64_t begin : {100, 105}) {
    const auto again = Chunk(Push(1), begin, begin + 5);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->version, 1);
  }
  EXPECT_TRUE(TakeApplied().empty());
  EXPECT_EQ(Copy().pushes_duplicate(), 1);
}

TEST_F(PushLedgerTest, AnOlderSequenceIsADuplicateWhetherTheLaterPushIsCompleteOrNot) {
  ASSERT_TRUE(Whole(Push(7)).ok());
  EXPECT_TRUE(Whole(Push(6))->duplicate);
  ASSERT_TRUE(Chunk(Push(8), 100, 101).ok());
  EXPECT_TRUE(Whole(Push(7))->duplicate);
  EXPECT_EQ(TakeApplied().size(), 11);
  EXPECT_EQ(Copy().ledger(0).sequence(), 8);
}

TEST_F(PushLedgerTest, ANewerIncarnationBeginsAnewAndTheOldOneIsRefused) {
  ASSERT_TRUE(Whole(Push(9, 1)).ok());
  EXPECT_FALSE(Whole(Push(1, 2))->duplicate);
  ExpectStatus(Whole(Push(10, 1)).status(), absl::StatusCode::kAborted,
               "push 10 of replica 5 (incarnation 1): incarnation 2 has pushed since");
  EXPECT_EQ(ledger_.version(), 2);
}

TEST_F(PushLedgerTest, AGapIsRefusedAndBeginsNothing) {
  ExpectStatus(Chunk(Push(1), 101, 110).status(), absl::StatusCode::kOutOfRange, "want 100 next");
  EXPECT_EQ(Copy().ledger_size(), 0);
  ASSERT_TRUE(Chunk(Push(1), 100, 104).ok());
  ExpectStatus(Chunk(Push(1), 105, 110).status(), absl::StatusCode::kOutOfRange, "want 104 next");
  ExpectStatus(Chunk(Push(2), 104, 110).status(), absl::StatusCode::kOutOfRange, "want 100 next");
  EXPECT_EQ(Copy().ledger(0).sequence(), 1);
}

TEST_F(PushLedgerTest, ABrokenPushGoesOnAtTheKeyReached) {
  ASSERT_TRUE(Chunk(Push(1), 100, 108).ok());
  TakeApplied();
  EXPECT_EQ(Chunk(Push(1), 100, 105)->version, 0);
  EXPECT_TRUE(TakeApplied().empty());
  EXPECT_EQ(Whole(Push(1))->version, 1);
  EXPECT_THAT(TakeApplied(), ElementsAre(std::pair(1, 108), std::pair(1, 109)));
  EXPECT_EQ(Copy().pushes_duplicate(), 0);
  EXPECT_EQ(Copy().pushes_partial(), 0);
}

TEST_F(PushLedgerTest, ARejectedPushStaysRejectedUntilTheNext) {
  ASSERT_TRUE(Chunk(Push(1), 100, 104).ok());
  ExpectStatus(ledger_.RejectIfUnderWay(Push(2), "why"), absl::StatusCode::kInvalidArgument, "why");
  EXPECT_EQ(Copy().pushes_rejected(), 0);
  ExpectStatus(ledger_.RejectIfUnderWay(Push(1), "why"), absl::StatusCode::kInvalidArgument,
               "push 1 of replica 5 (incarnation 1) rejected from key 104 on: why");
  ledger_.RejectIfUnderWay(Push(1), "again").IgnoreError();
  EXPECT_EQ(Copy().pushes_rejected(), 1);
  TakeApplied();
  ExpectStatus(Whole(Push(1)).status(), absl::StatusCode::kInvalidArgument, "was rejected before");
  EXPECT_TRUE(TakeApplied().empty());
  EXPECT_EQ(Whole(Push(2))->version, 1);
  ledger_.RejectIfUnderWay(Push(2), "too late").IgnoreError();  // it is complete
  EXPECT_EQ(Copy().pushes_rejected(), 1);
  EXPECT_EQ(Copy().pushes_partial(), 0);
}

TEST_F(PushLedgerTest, AnAbandonedPushIsCountedAsPartial) {
  ASSERT_TRUE(Chunk(Push(1), 100, 104).ok());
  ASSERT_TRUE(Chunk(Push(2), 100, 104).ok());
  ASSERT_TRUE(Whole(Push(1, 2)).ok());
  EXPECT_EQ(Copy().pushes_partial(), 2);
  EXPECT_EQ(ledger_.version(), 1);
}

TEST_F(PushLedgerTest, ThePushKeepsTheNumberOfItsUpdateWhileOthersComeBetween) {
  ASSERT_TRUE(Whole(Push(1, 1, 6)).ok());
  ASSERT_TRUE(Chunk(Push(1), 100, 104).ok());
  EXPECT_EQ(Copy().ledger(0).update(), 2);
  ASSERT_TRUE(Whole(Push(2, 1, 6)).ok());
  EXPECT_EQ(Copy().ledger(1).update(), 2);  // it began before any other was complete
  ASSERT_TRUE(Whole(Push(3, 1, 6)).ok());
  EXPECT_EQ(Copy().ledger(1).update(), 3);
  ASSERT_TRUE(Chunk(Push(1), 100, 107).ok());  // its first keys once more
  EXPECT_EQ(Copy().ledger(0).update(), 2);
  ASSERT_TRUE(Chunk(Push(1), 107, 110).ok());
  EXPECT_EQ(Copy().ledger(0).update(), 2);
  EXPECT_EQ(ledger_.version(), 4);
  ASSERT_TRUE(Chunk(Push(2), 100, 101).ok());
  EXPECT_EQ(Copy().ledger(0).update(), 5);
}

TEST_F(PushLedgerTest, ARestoredPushKeepsTheNumberOfItsUpdate) {
  ASSERT_TRUE(Chunk(Push(1), 100, 104).ok());
  for (const uint64_t sequence : {1, 2, 3}) ASSERT_TRUE(Whole(Push(sequence, 1, 6)).ok());
  const ShardCheckpoint saved = Copy();
  ASSERT_TRUE(ledger_.Restore(saved).ok());
  ASSERT_TRUE(Chunk(Push(1), 100, 106).ok());
  EXPECT_EQ(Copy().ledger(0).update(), 1);

  // A checkpoint of a program that kept no number.
  ShardCheckpoint older = saved;
  older.mutable_ledger(0)->clear_update();
  ASSERT_TRUE(ledger_.Restore(older).ok());
  ASSERT_TRUE(Chunk(Push(1), 100, 106).ok());
  ASSERT_TRUE(Whole(Push(4, 1, 6)).ok());
  ASSERT_TRUE(Chunk(Push(1), 106, 108).ok());
  EXPECT_EQ(Copy().ledger(0).update(), 4);
}

TEST_F(PushLedgerTest, ReplicasDoNotShareAnEntry) {
  for (const uint64_t replica : {uint64_t{1}, (uint64_t{1} << 32) + 1, ~uint64_t{0}})
    EXPECT_FALSE(Whole(Push(1, 1, replica))->duplicate);
  EXPECT_EQ(ledger_.version(), 3);
}

TEST_F(PushLedgerTest, RefusesSequenceZeroAndKeysOfOtherShards) {
  ExpectStatus(ledger_.EntryFor(Push(0), 100, 1).status(), absl::StatusCode::kInvalidArgument, "sequence 0");
  for (const auto& [begin, size] : std::vector<std::pair<int64_t, int64_t>>{{99, 1}, {111, 0}, {109, 2}})
    ExpectStatus(ledger_.EntryFor(Push(1), begin, size).status(), absl::StatusCode::kOutOfRange,
                 "[100, 110)");
}

TEST_F(PushLedgerTest, CopiesOutByAscendingReplicaOnlyWhatHasPushed) {
  for (const uint64_t replica : {70, 3, 1000, 12}) ASSERT_TRUE(Chunk(Push(1, 1, replica), 100, 101).ok());
  EXPECT_FALSE(Chunk(Push(1, 1, 4), 105, 106).ok());  // a gap: replica 4 has pushed nothing
  std::vector<uint64_t> replicas;
  const ShardCheckpoint copy = Copy();
  for (const ReplicaLedgerEntry& push : copy.ledger()) replicas.push_back(push.replica_id());
  EXPECT_THAT(replicas, ElementsAre(3, 12, 70, 1000));
}

TEST_F(PushLedgerTest, RestoresWhatWasCopiedOut) {
  ASSERT_TRUE(Whole(Push(1, 1, 6)).ok());
  ASSERT_TRUE(Whole(Push(1, 1, 6))->duplicate);
  ASSERT_TRUE(Chunk(Push(4), 100, 103).ok());
  ASSERT_TRUE(Chunk(Push(5), 100, 104).ok());
  ledger_.RejectIfUnderWay(Push(5), "why").IgnoreError();
  ASSERT_TRUE(Chunk(Push(1, 1, 8), 100, 107).ok());
  const ShardCheckpoint before = Copy();
  PushLedger restored(3, kRange);
  ASSERT_TRUE(restored.Restore(before).ok());
  ShardCheckpoint after;
  restored.FillCounters(&after);
  absl::MutexLock snapshot(&restored.snapshot_mutex());
  restored.CopyTo(&after);
  EXPECT_EQ(after.SerializeAsString(), before.SerializeAsString());
}

TEST_F(PushLedgerTest, RefusesToRestoreABadLedgerAndTakesOverNothing) {
  ASSERT_TRUE(Whole(Push(1, 1, 4)).ok());
  ASSERT_TRUE(Chunk(Push(3), 100, 104).ok());
  const ShardCheckpoint good = Copy();
  PushLedger restored(3, kRange);
  for (const uint64_t key : {uint64_t{0}, uint64_t{99}, uint64_t{111}, ~uint64_t{0}}) {
    ShardCheckpoint bad = good;
    bad.mutable_ledger(1)->set_next_key(key);
    ExpectStatus(restored.Restore(bad), absl::StatusCode::kFailedPrecondition,
                 "ledger of replica 5: push 3 applied up to key ");
  }
  ShardCheckpoint bad = good;
  bad.mutable_ledger(1)->set_sequence(0);
  ExpectStatus(restored.Restore(bad), absl::StatusCode::kFailedPrecondition, "want a push from 1 on");
  EXPECT_EQ(restored.version(), 0);
  ShardCheckpoint copy;
  absl::MutexLock snapshot(&restored.snapshot_mutex());
  restored.CopyTo(&copy);
  EXPECT_EQ(copy.ledger_size(), 0);
}

// One update of the warm start, then rounds of two pushes.
class PushLedgerRoundsTest : public PushLedgerTest {
 protected:
  PushLedgerRoundsTest() : PushLedgerTest({.pushes = 2, .warm_start = 1}) {}

  // The first push of the replica.
  static PushHeader Fetched(uint64_t version, uint64_t replica) {
    return {.replica_id = replica, .incarnation = 1, .sequence = 1, .fetched_version = version};
  }
  void MakeWarmStartAndOneRound() {
    for (const auto& [replica, fetched] :
         std::vector<std::pair<uint64_t, uint64_t>>{{6, 0}, {7, 1}, {8, 1}}) {
      const auto outcome = Whole(Fetched(fetched, replica));
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      EXPECT_FALSE(outcome->late);
      EXPECT_EQ(outcome->staleness, 0) << "no update was made since the fetch";
    }
    TakeApplied();
  }
};

TEST_F(PushLedgerRoundsTest, PushesOfARoundShareItsUpdate) {
  MakeWarmStartAndOneRound();
  EXPECT_EQ(ledger_.version(), 3);
  EXPECT_FALSE(Whole(Fetched(3, 9))->late);
  std::vector<uint64_t> updates;
  const ShardCheckpoint copy = Copy();
  for (const ReplicaLedgerEntry& push : copy.ledger()) updates.push_back(push.update());
  EXPECT_THAT(updates, ElementsAre(1, 2, 2, 3));
}

TEST_F(PushLedgerRoundsTest, APushOfARoundThatHasEndedIsLateHoweverOftenItComes) {
  MakeWarmStartAndOneRound();
  const PushHeader late = Fetched(2, 9);
  for (const KeyRange& keys : {kRange, KeyRange{100, 104}, KeyRange{104, 110}, kRange}) {
    const auto outcome = Chunk(late, keys.begin, keys.end);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_TRUE(outcome->late);
    EXPECT_FALSE(outcome->duplicate);
    EXPECT_EQ(outcome->staleness, 1);
    EXPECT_EQ(outcome->version, 3);
  }
  PushLedger restored(3, kRange, {.pushes = 2, .warm_start = 1});
  ASSERT_TRUE(restored.Restore(Copy()).ok());
  const std::shared_ptr<PushLedger::Entry> entry = *restored.EntryFor(late, 100, 10);
  {
    absl::MutexLock lock(&entry->mutex());
    EXPECT_TRUE((*restored.Admit(late, 100, entry.get()))->late);
  }
  EXPECT_TRUE(TakeApplied().empty());
  EXPECT_EQ(Copy().pushes_duplicate(), 0);
  EXPECT_EQ(Copy().pushes_partial(), 0);
  PushHeader next = Fetched(3, 9);
  next.sequence = 2;
  EXPECT_FALSE(Whole(next)->late);
  EXPECT_EQ(ledger_.version(), 4);
}

TEST_F(PushLedgerRoundsTest, APushUnderWayWhenItsRoundEndsCountsInTheNext) {
  MakeWarmStartAndOneRound();
  ASSERT_TRUE(Chunk(Fetched(3, 9), 100, 104).ok());
  ASSERT_TRUE(Whole(Fetched(3, 10)).ok());
  ASSERT_TRUE(Whole(Fetched(3, 11)).ok());
  EXPECT_FALSE(Chunk(Fetched(3, 9), 104, 110)->late);
  EXPECT_EQ(ledger_.version(), 6);
  EXPECT_FALSE(Whole(Fetched(5, 12))->late);
  EXPECT_TRUE(Whole(Fetched(6, 13))->late);
}

}  // namespace
}  // namespace downpour
