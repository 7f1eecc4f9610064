// Where on the data's way: the shard; how far a push changes the parameters, also in pieces and after a
// restart.
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/parameter_shard.h"
#include "tests/testing/pushes_of_ones.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr KeyRange kRange{100, 110};

ParameterShard::Options OptionsFor(KeyRange range) {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"weights", {range.end}}});
  options.run = {"run-1", options.layout.fingerprint()};
  options.range = range;
  options.optimizer.set_kind(OptimizerDescription::SGD);
  options.optimizer.set_learning_rate(1);
  return options;
}

void ExpectRefused(const absl::StatusOr<PushOutcome>& outcome, const std::string& message) {
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kFailedPrecondition) << outcome.status();
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr(message));
}

// Staleness 3 makes a quarter of the step, of every chunk: also of those that come after another push and of
// those that a restored shard gets.
TEST(ParameterShardSteps, AStalePushStepsLessAndAllItsChunksAlike) {
  ParameterShard::Options options = OptionsFor(kRange);
  options.optimizer.set_staleness_exponent(1);
  const auto shard = *ParameterShard::Create(options, std::vector<float>(10));
  for (uint64_t sequence : {1, 2, 3}) {
    const PushHeader fresh = Push(sequence, 1, sequence - 1);
    ASSERT_EQ(shard->ApplyChunk(fresh, 100, Ones(10))->staleness, 0);
  }
  PushHeader stale = Push(1);
  stale.replica_id = 6;
  ASSERT_EQ(shard->ApplyChunk(stale, 100, Ones(4))->staleness, 3);
  ASSERT_TRUE(shard->ApplyChunk(Push(4, 1, 3), 100, Ones(10)).ok());
  const auto restored = *ParameterShard::Restore(options, shard->Snapshot());
  ASSERT_TRUE(restored->ApplyChunk(stale, 104, Ones(6)).ok());
  EXPECT_THAT(ParametersOf(*restored), Each(4.25f));
}

TEST(ParameterShardSteps, APlateausFactorIsThatOfThePushsBeginningAlsoAfterARestart) {
  ParameterShard::Options options = OptionsFor(kRange);
  options.optimizer.mutable_schedule()->set_kind(ScheduleDescription::PLATEAU);
  const auto shard = *ParameterShard::Create(options, std::vector<float>(10));
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(4)).ok());
  shard->set_plateau_factor(0.25);
  const auto restored = *ParameterShard::Restore(options, shard->Snapshot());
  ASSERT_TRUE(restored->ApplyChunk(Push(1), 104, Ones(6)).ok());
  EXPECT_THAT(ParametersOf(*restored), Each(1));
  ASSERT_TRUE(restored->ApplyChunk(Push(2), 100, Ones(10)).ok());
  EXPECT_THAT(ParametersOf(*restored), Each(1.25f));
}

TEST(ParameterShardSteps, CompensationWantsTheParametersThatTheGradientWasComputedAt) {
  ParameterShard::Options options = OptionsFor(kRange);
  options.optimizer.set_compensation(OptimizerDescription::DELAY);
  options.optimizer.set_compensation_strength(0.5);
  const auto shard = *ParameterShard::Create(options, std::vector<float>(10, 4));
  ExpectRefused(shard->ApplyChunk(Push(1), 100, Ones(10)),
                "a gradient of 10 keys comes with 0 fetched parameters, want 10");
  const std::vector<float> fetched(10, 2);
  ASSERT_TRUE(shard->ApplyChunk(Push(1), 100, Ones(10), fetched).ok());
  EXPECT_THAT(ParametersOf(*shard), Each(4));  // -1 + 0.5 * 1 * (4 - 2) = 0
  const auto without = *ParameterShard::Create(OptionsFor(kRange), std::vector<float>(10));
  ExpectRefused(without->ApplyChunk(Push(1), 100, Ones(10), fetched), "with 10 fetched parameters, want 0");
}

TEST(ParameterShardSteps, FollowsTheWarmStartsRuleUpToItsLastUpdate) {
  ParameterShard::Options options = OptionsFor(kRange);
  options.warm_start.mutable_optimizer()->set_kind(OptimizerDescription::SGD);
  options.warm_start.mutable_optimizer()->set_learning_rate(16);
  options.warm_start.set_updates(2);
  const auto shard = *ParameterShard::Create(options, std::vector<float>(10));
  for (uint64_t sequence : {1, 2, 3}) ASSERT_TRUE(shard->ApplyChunk(Push(sequence), 100, Ones(10)).ok());
  EXPECT_THAT(ParametersOf(*shard), Each(33));  // 16 + 16 + 1
}

}  // namespace
}  // namespace downpour
