// Where on the data's way: inside the shard; the rule of the warm start, and what the run's rule begins with.
#include "server/optimizer/warm_start.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

OptimizerDescription Rule(OptimizerDescription::Kind kind, float learning_rate) {
  OptimizerDescription description;
  description.set_kind(kind);
  description.set_learning_rate(learning_rate);
  description.set_rho(0.5);
  return description;
}

WarmStart Updates(uint64_t updates, const OptimizerDescription& rule) {
  WarmStart warm_start;
  warm_start.set_updates(updates);
  *warm_start.mutable_optimizer() = rule;
  return warm_start;
}

// One parameter, 0 at first, after each gradient.
std::vector<float> Steps(const Optimizer& optimizer, const std::vector<float>& gradients,
                         std::vector<float>* state) {
  state->assign(optimizer.state_names().size(), 0);
  std::vector<float*> pointers;
  for (float& value : *state) pointers.push_back(&value);
  std::vector<float> seen;
  float parameter = 0;
  for (size_t t = 0; t < gradients.size(); ++t) {
    optimizer.Apply({.update = t + 1}, {&gradients[t], 1}, {&parameter, 1}, pointers);
    seen.push_back(parameter);
  }
  return seen;
}

TEST(WarmStartTest, StepsByItsRuleThenByTheRunsWhichHasSeenEveryGradient) {
  const auto optimizer = *Optimizer::Create(Rule(OptimizerDescription::ADAGRAD, 0.5),
                                            Updates(2, Rule(OptimizerDescription::SGD, 0.25)));
  std::vector<float> state;
  // 0.25 * 3; 0.25 * 4; then the sum of squares is 9 + 16 + 144 = 169 and the step 0.5 / 13 * 12.
  EXPECT_THAT(Steps(*optimizer, {-3, -4, -12}, &state),
              ElementsAre(0.75f, 1.75f, ::testing::FloatEq(1.75f + 6.f / 13)));
  EXPECT_THAT(state, ElementsAre(169));
  EXPECT_THAT(optimizer->state_names(), ElementsAre("sum g^2"));
}

TEST(WarmStartTest, AdadeltaBeginsWithTheMeansOfTheWarmStart) {
  OptimizerDescription adadelta;  // rho 0.95, epsilon 1e-6
  const auto alone = *Optimizer::Create(adadelta);
  const auto after = *Optimizer::Create(adadelta, Updates(2, Rule(OptimizerDescription::SGD, 0.5)));
  std::vector<float> alone_state, after_state;
  const std::vector<float> gradients = {0.5, -0.25, 1};
  const std::vector<float> own = Steps(*alone, gradients, &alone_state);
  const std::vector<float> seen = Steps(*after, gradients, &after_state);
  EXPECT_EQ(after_state, alone_state);
  EXPECT_EQ(seen[1], -0.125f);                          // 0.5 * -0.5 + 0.5 * 0.25
  EXPECT_FLOAT_EQ(seen[2] - seen[1], own[2] - own[1]);  // the third change is ADADELTA's own
}

TEST(WarmStartTest, KeepsTheStateOfItsRuleApart) {
  const auto optimizer = *Optimizer::Create(Rule(OptimizerDescription::MOMENTUM, 1),
                                            Updates(2, Rule(OptimizerDescription::MOMENTUM, 4)));
  EXPECT_THAT(optimizer->state_names(), ElementsAre("dx", "warm start dx"));
  std::vector<float> state;
  // Warm start: dx = 4, then 0.5 * 4 + 4 = 6. The run's own dx: 1, 1.5, then 0.5 * 1.5 + 1 = 1.75.
  EXPECT_THAT(Steps(*optimizer, {-1, -1, -1}, &state), ElementsAre(4, 10, 11.75f));
  EXPECT_THAT(state, ElementsAre(1.75f, 6));
}

TEST(WarmStartTest, WithoutARuleOfItsOwnIsTheRunsRule) {
  WarmStart warm_start;
  warm_start.set_updates(2);
  const auto optimizer = *Optimizer::Create(Rule(OptimizerDescription::SGD, 1), warm_start);
  std::vector<float> state;
  EXPECT_THAT(Steps(*optimizer, {-1, -1, -1}, &state), ElementsAre(1, 2, 3));
}

TEST(WarmStartTest, RefusesARuleThatIsNone) {
  EXPECT_EQ(Optimizer::Create({}, Updates(2, Rule(OptimizerDescription::SGD, NAN))).status().message(),
            "optimizer.learning_rate is nan, want 0 < learning_rate < inf");
}

}  // namespace
}  // namespace downpour
