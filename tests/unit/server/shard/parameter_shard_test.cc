// Where on the data's way: the shard; what is applied, once, and what is refused.
#include "server/shard/parameter_shard.h"

#include <cmath>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"
#include "tests/testing/integer_shard.h"
#include "tests/testing/pushes_of_ones.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr KeyRange kRange{100, 110};
constexpr int64_t kSegment = ParameterShard::kSegmentElements;

ParameterShard::Options OptionsFor(KeyRange range) {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"weights", {range.end, 2}}, {"bias", {7}}});
  options.run = {"run-1", options.layout.fingerprint()};
  options.shard = 3;
  options.range = range;
  options.optimizer.set_kind(OptimizerDescription::SGD);
  options.optimizer.set_learning_rate(1);
  return options;
}

std::unique_ptr<ParameterShard> NewShard(KeyRange range = kRange) {
  return *ParameterShard::Create(OptionsFor(range), std::vector<float>(range.size()));
}

void ExpectStatus(const absl::StatusOr<PushOutcome>& outcome, absl::StatusCode code,
                  const std::string& message) {
  EXPECT_EQ(outcome.status().code(), code) << outcome.status();
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr(message));
}

TEST(ParameterShard, AppliesEachChunkAsItArrivesAndCountsThePushAtItsEnd) {
  const auto shard = NewShard();
  const auto first = shard->ApplyChunk(Push(1), 100, Ones(4));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->version, 0);
  EXPECT_THAT(ParametersOf(*shard), ElementsAre(1, 1, 1, 1, 0, 0, 0, 0, 0, 0));
  const auto last = shard->ApplyChunk(Push(1), 104, Ones(6));
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->version, 1);
  EXPECT_FALSE(last->duplicate);
  EXPECT_THAT(ParametersOf(*shard), Each(1));
  EXPECT_EQ(shard->version(), 1);
}

TEST(ParameterShard, AppliesARepeatedPushOnce) {
  const auto shard = NewShard();
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(10)).ok());
  for (int i = 0; i < 3; ++i) {
    const auto again = shard->ApplyChunk(Push(1), 100, Ones(10));
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->version, 1);
  }
  EXPECT_THAT(ParametersOf(*shard), Each(1));
  EXPECT_EQ(shard->Status().pushes_duplicate(), 3);
}

TEST(ParameterShard, CountsARepeatInChunksAsOneDuplicate) {
  const auto shard = NewShard();
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(10)).ok());
  for (int64_t begin : {100, 105}) EXPECT_TRUE(shard->ApplyChunk(Push(1), begin, Ones(5))->duplicate);
  EXPECT_EQ(shard->Status().pushes_duplicate(), 1);
}

TEST(ParameterShard, ARetryGoesOnWhereTheBrokenPushStopped) {
  const auto shard = NewShard();
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(4)).ok());
  const auto retried = shard->ApplyChunk(Push(1), 100, Ones(10));  // cut otherwise this time
  ASSERT_TRUE(retried.ok());
  EXPECT_FALSE(retried->duplicate);
  EXPECT_EQ(retried->version, 1);
  EXPECT_THAT(ParametersOf(*shard), Each(1));
  EXPECT_EQ(shard->Status().pushes_duplicate(), 0);
  EXPECT_EQ(shard->Status().pushes_partial(), 0);
}

TEST(ParameterShard, ALateCopyOfAnOlderPushIsNotApplied) {
  const auto shard = NewShard();
  for (uint64_t sequence : {1, 2}) ASSERT_TRUE(shard->ApplyChunk(Push(sequence), 100, Ones(10)).ok());
  EXPECT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(10))->duplicate);
  EXPECT_THAT(ParametersOf(*shard), Each(2));
  EXPECT_EQ(shard->version(), 2);
}

TEST(ParameterShard, ReplicasAreToldApartAtFullWidth) {
  const auto shard = NewShard();
  for (uint64_t replica : {uint64_t{1}, uint64_t{1} + 256, (uint64_t{1} << 32) + 1, ~uint64_t{0}}) {
    const auto outcome =
        shard->ApplyChunk({.replica_id = replica, .incarnation = 1, .sequence = 1}, 100, Ones(10));
    ASSERT_TRUE(outcome.ok());
    EXPECT_FALSE(outcome->duplicate);
  }
  EXPECT_EQ(shard->version(), 4);
}

TEST(ParameterShard, AChunkBeyondAGapIsRefusedAndNamesTheKeyWanted) {
  const auto shard = NewShard();
  ExpectStatus(shard->ApplyChunk(Push(1), 102, Ones(8)), absl::StatusCode::kOutOfRange, "want 100 next");
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(4)).ok());
  ExpectStatus(shard->ApplyChunk(Push(1), 106, Ones(4)), absl::StatusCode::kOutOfRange, "want 104 next");
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 104, Ones(6)).ok());
  EXPECT_THAT(ParametersOf(*shard), Each(1));
}

TEST(ParameterShard, AChunkOutsideTheRangeIsRefused) {
  const auto shard = NewShard();
  const int64_t max = std::numeric_limits<int64_t>::max();
  for (auto [begin, size] : std::vector<std::pair<int64_t, int64_t>>{
           {99, 1}, {0, 1}, {-1, 1}, {100, 11}, {109, 2}, {110, 1}, {111, 0}, {max, 1}, {-max - 1, 1}}) {
    ExpectStatus(shard->ApplyChunk(Push(1), begin, Ones(size)), absl::StatusCode::kOutOfRange, "[100, 110)");
  }
  EXPECT_THAT(ParametersOf(*shard), Each(0));
  EXPECT_EQ(shard->Snapshot().header.ledger_size(), 0);
}

TEST(ParameterShard, ARejectedPushGoesNoFurtherAndTheNextIsFine) {
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    const auto shard = NewShard();
    ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(4)).ok());
    std::vector<float> gradient = Ones(3);
    gradient[2] = bad;
    ExpectStatus(shard->ApplyChunk(Push(1), 104, gradient), absl::StatusCode::kInvalidArgument,
                 "gradient of key 106");
    ExpectStatus(shard->ApplyChunk(Push(1), 107, Ones(3)), absl::StatusCode::kInvalidArgument,
                 "rejected before");
    ExpectStatus(shard->ApplyChunk(Push(1), 100, Ones(10)), absl::StatusCode::kInvalidArgument,
                 "rejected before");
    EXPECT_THAT(ParametersOf(*shard), ElementsAre(1, 1, 1, 1, 0, 0, 0, 0, 0, 0));
    ASSERT_TRUE(shard->ApplyChunk(Push(2), 100, Ones(10)).ok());
    EXPECT_THAT(ParametersOf(*shard), ElementsAre(2, 2, 2, 2, 1, 1, 1, 1, 1, 1));
    EXPECT_EQ(shard->version(), 1);
    EXPECT_EQ(shard->Status().pushes_rejected(), 1);
    EXPECT_EQ(shard->Status().pushes_partial(), 0);
  }
}

// Blocks, segments and a retry from the middle: the same bits as the widened gradient gives.
TEST(ParameterShard, ABfloat16PushStepsAsItsWidenedGradientDoes) {
  constexpr int64_t kSize = ParameterShard::kSegmentElements + 5000;
  const auto widened = IntegerShard(kSize), rounded = IntegerShard(kSize);
  Random random(1);
  std::vector<uint16_t> gradient(kSize);
  std::vector<float> floats(kSize);
  for (int64_t i = 0; i < kSize; ++i) {
    gradient[i] = ToBfloat16(static_cast<float>(random.Normal()));
    floats[i] = FromBfloat16(gradient[i]);
  }
  ASSERT_TRUE(widened->ApplyChunk(Push(1), 1000, floats).ok());
  ASSERT_TRUE(rounded->ApplyChunk(Push(1), 1000, TensorView(absl::MakeConstSpan(gradient).first(777))).ok());
  ASSERT_TRUE(rounded->ApplyChunk(Push(1), 1000, TensorView(gradient)).ok());
  EXPECT_EQ(rounded->version(), 1);
  std::vector<float> a(kSize), b(kSize);
  ASSERT_TRUE(widened->Read(widened->range(), absl::MakeSpan(a)).ok());
  ASSERT_TRUE(rounded->Read(rounded->range(), absl::MakeSpan(b)).ok());
  EXPECT_EQ(a, b);

  std::vector<uint16_t> read(kSize);
  ASSERT_TRUE(rounded->Read(rounded->range(), MutableTensorView(absl::MakeSpan(read))).ok());
  for (int64_t i = 0; i < kSize; ++i) ASSERT_EQ(read[i], ToBfloat16(b[i]));
  gradient[5] = 0x7f80;
  ExpectStatus(rounded->ApplyChunk(Push(2), 1000, TensorView(gradient)), absl::StatusCode::kInvalidArgument,
               "gradient of key 1005 is inf");
}

TEST(ParameterShard, AnEmptyChunkRejectsThePush) {
  const auto shard = NewShard();
  ExpectStatus(shard->ApplyChunk(Push(1), 100, std::vector<float>()), absl::StatusCode::kInvalidArgument,
               "empty chunk");
  EXPECT_EQ(shard->Status().pushes_rejected(), 1);
}

TEST(ParameterShard, ARejectedPushIsLoggedButNotEachOfMany) {
  std::ostringstream log;
  spdlog::default_logger()->sinks().push_back(std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
  const auto shard = NewShard();
  const std::vector<float> bad(10, std::numeric_limits<float>::infinity());
  for (uint64_t sequence = 1; sequence <= 3; ++sequence)
    EXPECT_FALSE(shard->ApplyChunk(Push(sequence), 100, bad).ok());
  spdlog::default_logger()->sinks().pop_back();
  for (const char* line :
       {"shard 3: push 1 of replica 5", "gradient of key 100 is inf (1 so far)", "(2 so far)"})
    EXPECT_THAT(log.str(), HasSubstr(line));
  EXPECT_THAT(log.str(), Not(HasSubstr("(3 so far)")));
}

TEST(ParameterShard, RejectsTheRestOfAPushUnderWayOnly) {
  const auto shard = NewShard();
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(4)).ok());
  EXPECT_EQ(shard->RejectPush(Push(2), "why").code(), absl::StatusCode::kInvalidArgument);  // not begun
  EXPECT_EQ(shard->Status().pushes_rejected(), 0);
  EXPECT_THAT(std::string(shard->RejectPush(Push(1), "why").message()), HasSubstr("from key 104 on: why"));
  shard->RejectPush(Push(1), "again").IgnoreError();
  EXPECT_EQ(shard->Status().pushes_rejected(), 1);
  ExpectStatus(shard->ApplyChunk(Push(1), 104, Ones(6)), absl::StatusCode::kInvalidArgument,
               "rejected before");
  ASSERT_TRUE(shard->ApplyChunk(Push(2), 100, Ones(10)).ok());
  shard->RejectPush(Push(2), "a late chunk").IgnoreError();  // it is complete
  EXPECT_EQ(shard->Status().pushes_rejected(), 1);
}

TEST(ParameterShard, SequenceZeroIsRefused) {
  ExpectStatus(NewShard()->ApplyChunk(Push(0), 100, Ones(10)), absl::StatusCode::kInvalidArgument,
               "sequence 0");
}

TEST(ParameterShard, AnAbandonedPushStaysAppliedAndIsCounted) {
  const auto shard = NewShard();
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(4)).ok());
  ASSERT_TRUE(shard->ApplyChunk(Push(2), 100, Ones(10)).ok());
  EXPECT_THAT(ParametersOf(*shard), ElementsAre(2, 2, 2, 2, 1, 1, 1, 1, 1, 1));
  EXPECT_EQ(shard->version(), 1);
  EXPECT_EQ(shard->Status().pushes_partial(), 1);
}

TEST(ParameterShard, ANewIncarnationBeginsAnewAndTheOldOneIsRefused) {
  const auto shard = NewShard();
  ASSERT_TRUE(shard->ApplyChunk(Push(8, 1), 100, Ones(10)).ok());
  ASSERT_TRUE(shard->ApplyChunk(Push(9, 1), 100, Ones(4)).ok());
  ASSERT_TRUE(shard->ApplyChunk(Push(1, 2), 100, Ones(10)).ok());
  EXPECT_EQ(shard->version(), 2);
  EXPECT_EQ(shard->Status().pushes_partial(), 1);
  ExpectStatus(shard->ApplyChunk(Push(9, 1), 104, Ones(6)), absl::StatusCode::kAborted,
               "incarnation 2 has pushed since");
  EXPECT_EQ(shard->version(), 2);
}

TEST(ParameterShard, StalenessIsTheUpdatesBetweenFetchAndFirstChunk) {
  const auto shard = NewShard();
  for (uint64_t sequence : {1, 2, 3}) ASSERT_TRUE(shard->ApplyChunk(Push(sequence), 100, Ones(10)).ok());
  const PushHeader other{.replica_id = 6, .incarnation = 1, .sequence = 1, .fetched_version = 1};
  EXPECT_EQ(shard->ApplyChunk(other, 100, Ones(5))->staleness, 2);
  ASSERT_TRUE(shard->ApplyChunk(Push(4), 100, Ones(10)).ok());
  const auto last = shard->ApplyChunk(other, 105, Ones(5));
  EXPECT_EQ(last->staleness, 2);
  EXPECT_EQ(last->version, 5);
  EXPECT_EQ(shard->ApplyChunk(other, 105, Ones(5))->staleness, 2);  // a duplicate is told the same
  // Fetched before the shard fell back to an older checkpoint.
  EXPECT_EQ(shard->ApplyChunk(Push(5, 1, 1000), 100, Ones(10))->staleness, 0);
}

TEST(ParameterShard, ChecksRunAndLayout) {
  const auto shard = NewShard();
  RunKey run = shard->run();
  EXPECT_TRUE(shard->CheckRun(run).ok());
  run.layout_fingerprint ^= 1;
  EXPECT_EQ(shard->CheckRun(run).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(shard->CheckRun(run).message()), HasSubstr("layout fingerprint"));
  EXPECT_THAT(std::string(shard->CheckRun({"run-2", 0}).message()),
              HasSubstr("other run: run-2, want run-1"));
}

TEST(ParameterShard, ReadsAcrossSegmentsAndRefusesOtherKeys) {
  const KeyRange range{7, 7 + 2 * kSegment + 5};
  std::vector<float> initial(range.size());
  for (size_t i = 0; i < initial.size(); ++i) initial[i] = static_cast<float>(i);
  const auto shard = *ParameterShard::Create(OptionsFor(range), initial);
  EXPECT_EQ(ParametersOf(*shard), initial);
  std::vector<float> some(kSegment + 2);
  ASSERT_TRUE(shard->Read({7 + kSegment - 1, 7 + 2 * kSegment + 1}, absl::MakeSpan(some)).ok());
  EXPECT_EQ(some.front(), kSegment - 1);
  EXPECT_EQ(some.back(), 2 * kSegment);
  EXPECT_EQ(shard->Read({6, 8}, absl::MakeSpan(some.data(), 2)).code(), absl::StatusCode::kOutOfRange);
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 7, Ones(range.size())).ok());
  for (float& value : initial) value += 1;
  EXPECT_EQ(ParametersOf(*shard), initial);
}

TEST(ParameterShard, RefusesAnOptimizerThatIsNone) {
  ParameterShard::Options options = OptionsFor(kRange);
  options.optimizer.set_learning_rate(-1);
  EXPECT_EQ(ParameterShard::Create(options, std::vector<float>(10)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ParameterShardRestore, KeepsLedgerVersionAndCounters) {
  const auto before = NewShard();
  ASSERT_TRUE(before->ApplyChunk(Push(1), 100, Ones(10)).ok());
  ASSERT_TRUE(before->ApplyChunk(Push(1), 100, Ones(10)).ok());
  ASSERT_TRUE(before->ApplyChunk(Push(2), 100, Ones(4)).ok());
  const auto after = *ParameterShard::Restore(OptionsFor(kRange), before->Snapshot());
  EXPECT_EQ(after->Status().SerializeAsString(), before->Status().SerializeAsString());
  EXPECT_EQ(after->Snapshot().header.SerializeAsString(), before->Snapshot().header.SerializeAsString());
  EXPECT_TRUE(after->ApplyChunk(Push(1), 100, Ones(10))->duplicate);
  ASSERT_TRUE(after->ApplyChunk(Push(2), 100, Ones(10)).ok());  // the first 4 keys are in the snapshot
  EXPECT_THAT(ParametersOf(*after), Each(2));
  EXPECT_EQ(after->version(), 2);
}

void ExpectRefused(const ParameterShard::Options& options, const ShardSnapshot& snapshot,
                   const std::string& message) {
  const auto shard = ParameterShard::Restore(options, snapshot);
  EXPECT_EQ(shard.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(shard.status().message()), HasSubstr(message));
}

TEST(ParameterShardRestore, RefusesASnapshotOfAnythingElse) {
  const auto shard = NewShard();
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(4)).ok());
  const ShardSnapshot good = shard->Snapshot();
  ParameterShard::Options options = OptionsFor(kRange);
  options.run.run_id = "run-2";
  ExpectRefused(options, good, "other run: run-1, want run-2");
  options = OptionsFor(kRange);
  options.run.layout_fingerprint = 17;
  ExpectRefused(options, good, "want 17");
  options = OptionsFor(kRange);
  options.shard = 4;
  ExpectRefused(options, good, "other shard: 3, want 4");
  options = OptionsFor(kRange);
  options.range = {101, 111};
  ExpectRefused(options, good, "other first key: 100, want 101");
  options.range = {100, 111};
  ExpectRefused(options, good, "other number of parameters: 10, want 11");
  options = OptionsFor(kRange);
  options.optimizer.set_kind(OptimizerDescription::ADAGRAD);
  ExpectRefused(options, good, "other optimizer: SGD");
  options = OptionsFor(kRange);
  options.optimizer.set_learning_rate(std::nextafter(1.f, 2.f));
  ExpectRefused(options, good, "learning_rate=1.00000012");
  options = OptionsFor(kRange);
  options.warm_start.mutable_optimizer()->set_kind(OptimizerDescription::SGD);
  ExpectRefused(options, good, "other optimizer of the warm start");
  options = OptionsFor(kRange);
  options.warm_start.set_updates(5);
  ExpectRefused(options, good, "other length of the warm start: 0, want 5");

  options = OptionsFor(kRange);
  ShardSnapshot bad = good;
  bad.state.emplace_back(10);
  ExpectRefused(options, bad, "number of state vectors: 1, want 0");
  for (uint64_t key : {99, 111}) {
    bad = good;
    bad.header.mutable_ledger(0)->set_next_key(key);
    ExpectRefused(options, bad, "ledger of replica 5");
  }
}

}  // namespace
}  // namespace downpour
