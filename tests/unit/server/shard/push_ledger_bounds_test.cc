// Where on the data's way: inside the shard; what the ledger refuses to believe, and how much it keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "server/shard/parameter_shard.h"
#include "server/shard/push_ledger.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

constexpr KeyRange kRange{100, 110};
constexpr uint64_t kHighest = std::numeric_limits<uint64_t>::max();

PushHeader Push(uint64_t sequence, uint64_t incarnation = 1, uint64_t replica = 5) {
  return {.replica_id = replica, .incarnation = incarnation, .sequence = sequence};
}

class PushLedgerBoundsTest : public ::testing::Test {
 protected:
  static constexpr size_t kMost = 4;
  static constexpr PushLimits kLimits{.replicas = kMost, .skipped = 20};

  // As the shard does for a chunk of the whole range.
  static absl::StatusOr<PushOutcome> Whole(PushLedger& ledger, const PushHeader& header) {
    const auto entry = ledger.EntryFor(header, kRange.begin, kRange.size());
    if (!entry.ok()) return entry.status();
    absl::MutexLock lock(&(*entry)->mutex());
    const auto answer = ledger.Admit(header, kRange.begin, entry->get());
    if (!answer.ok()) return answer.status();
    if (answer->has_value()) return **answer;
    absl::ReaderMutexLock snapshot(&ledger.snapshot_mutex());
    ledger.Advance(kRange.end, entry->get());
    return ledger.Outcome(**entry);
  }
  absl::StatusOr<PushOutcome> Whole(const PushHeader& header) { return Whole(ledger_, header); }
  ShardCheckpoint Copy() const {
    ShardCheckpoint header;
    ledger_.FillCounters(&header);
    absl::MutexLock snapshot(&ledger_.snapshot_mutex());
    ledger_.CopyTo(&header);
    return header;
  }

  FakeClock clock_;
  PushLedger ledger_{3, kRange, {}, kLimits, &clock_};
};

TEST_F(PushLedgerBoundsTest, ASequenceFarAheadIsRefusedAndTheReplicaGoesOn) {
  ASSERT_TRUE(Whole(Push(1)).ok());
  for (const uint64_t sequence : {1 + kLimits.skipped + 2, uint64_t{1} << 40, kHighest}) {
    const absl::Status status = Whole(Push(sequence)).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("its last push was 1, want at most 22"));
  }
  EXPECT_FALSE(Whole(Push(2))->duplicate);
  EXPECT_EQ(ledger_.version(), 2);
}

TEST_F(PushLedgerBoundsTest, AReplicaMaySkipAsManyPushesAsNoiseDrops) {
  ASSERT_TRUE(Whole(Push(1)).ok());
  EXPECT_TRUE(Whole(Push(1 + kLimits.skipped + 1)).ok());
}

TEST_F(PushLedgerBoundsTest, TheFirstPushAfterARestoreMayBeFarAheadButNotAnyFigure) {
  ASSERT_TRUE(Whole(Push(1)).ok());
  PushLedger restored(3, kRange, {}, kLimits, &clock_);
  ASSERT_TRUE(restored.Restore(Copy()).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Whole(restored, Push(kHighest)).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Whole(restored, Push(kHighest, 2)).status()));
  EXPECT_TRUE(Whole(restored, Push(1'000'000)).ok()) << "the replica went on while the shard was away";
  EXPECT_TRUE(absl::IsFailedPrecondition(Whole(restored, Push(2'000'000)).status()));
  EXPECT_TRUE(Whole(restored, Push(500, 2)).ok()) << "a new incarnation has a sequence of its own";
}

TEST_F(PushLedgerBoundsTest, IdsAndIncarnationsThatNobodyWasGivenAreRefusedUntilTheCoordinatorNamesThem) {
  ledger_.set_last_joined(5, 70);
  for (const PushHeader& header : {Push(1, kHighest), Push(1, 71), Push(1, 70, 6)}) {
    const absl::Status status = Whole(header).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << "a replica that has just joined tries again: " << status;
  }
  EXPECT_EQ(Copy().ledger_size(), 0);
  EXPECT_TRUE(Whole(Push(1, 70)).ok());
  ledger_.set_last_joined(6, 71);
  EXPECT_TRUE(Whole(Push(1, 71, 6)).ok());
  ledger_.set_last_joined(1, 1);
  EXPECT_TRUE(Whole(Push(2, 71, 6)).ok()) << "a coordinator that came back with an older checkpoint";
}

TEST_F(PushLedgerBoundsTest, RestoredReplicasAreKnownThoughTheCoordinatorHasForgottenThem) {
  ASSERT_TRUE(Whole(Push(1, 9, 7)).ok());
  PushLedger restored(3, kRange, {}, kLimits, &clock_);
  ASSERT_TRUE(restored.Restore(Copy()).ok());
  restored.set_last_joined(1, 1);
  EXPECT_TRUE(Whole(restored, Push(2, 9, 7)).ok());
}

TEST_F(PushLedgerBoundsTest, AReplicaBeyondTheBoundIsToldToWaitAndTheOthersGoOn) {
  for (uint64_t replica = 1; replica <= kMost; ++replica) ASSERT_TRUE(Whole(Push(1, replica, replica)).ok());
  clock_.SleepFor(PushLedger::kForgetAfter - absl::Seconds(1));
  for (uint64_t replica = 100; replica < 20'000; ++replica)
    ASSERT_TRUE(absl::IsResourceExhausted(Whole(Push(1, replica, replica)).status()));
  EXPECT_EQ(Copy().ledger_size(), kMost);
  for (uint64_t replica = 1; replica <= kMost; ++replica) EXPECT_TRUE(Whole(Push(2, replica, replica)).ok());
}

TEST_F(PushLedgerBoundsTest, AForgottenReplicaThatComesBackIsRefusedAndAppliedNoSecondTime) {
  for (uint64_t replica = 1; replica <= kMost; ++replica) ASSERT_TRUE(Whole(Push(1, replica, replica)).ok());
  clock_.SleepFor(PushLedger::kForgetAfter);
  for (uint64_t replica = 2; replica <= kMost; ++replica) ASSERT_TRUE(Whole(Push(2, replica, replica)).ok());
  ASSERT_TRUE(Whole(Push(1, 10, 10)).ok()) << "replica 1 has made room";
  EXPECT_EQ(Copy().ledger_size(), kMost);

  PushLedger restored(3, kRange, {}, kLimits, &clock_);
  ASSERT_TRUE(restored.Restore(Copy()).ok());
  for (PushLedger* ledger : {&ledger_, &restored}) {
    const uint64_t version = ledger->version();
    clock_.SleepFor(PushLedger::kForgetAfter);
    const absl::Status status = Whole(*ledger, Push(1, 1, 1)).status();
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("want a replica that has joined again"));
    EXPECT_EQ(ledger->version(), version);
    EXPECT_TRUE(Whole(*ledger, Push(1, 11, 1)).ok()) << "it has joined again";
  }
}

TEST_F(PushLedgerBoundsTest, AReplicaWhosePushIsBeingAppliedIsNotForgotten) {
  for (uint64_t replica = 1; replica <= kMost; ++replica) ASSERT_TRUE(Whole(Push(1, replica, replica)).ok());
  auto held = ledger_.EntryFor(Push(2, 1, 1), kRange.begin, kRange.size());
  ASSERT_TRUE(held.ok());
  clock_.SleepFor(absl::Seconds(1));
  for (uint64_t replica = 2; replica <= kMost; ++replica) ASSERT_TRUE(Whole(Push(2, replica, replica)).ok());
  clock_.SleepFor(PushLedger::kForgetAfter);
  EXPECT_TRUE(absl::IsResourceExhausted(Whole(Push(1, 10, 10)).status()));
  held->reset();
  EXPECT_TRUE(Whole(Push(1, 10, 10)).ok());
}

}  // namespace
}  // namespace downpour
