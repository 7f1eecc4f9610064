// Where on the data's way: inside the shard; what the way gone since the fetch makes of a step.
#include "server/optimizer/compensation.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

OptimizerDescription Sgd(OptimizerDescription::Compensation compensation, float strength) {
  OptimizerDescription description;
  description.set_kind(OptimizerDescription::SGD);
  description.set_learning_rate(0.5);
  description.set_compensation(compensation);
  description.set_compensation_strength(strength);
  return description;
}

// Parameters and state that gradients change, with the parameters that they were computed at.
struct Memory {
  explicit Memory(const OptimizerDescription& description, std::vector<float> initial)
      : optimizer(*Optimizer::Create(description)),
        parameters(std::move(initial)),
        state(optimizer->state_names().size(), std::vector<float>(parameters.size())) {}

  void Step(UpdateStep step, const std::vector<float>& gradient, const std::vector<float>& fetched,
            size_t begin, size_t end) {
    std::vector<float*> pointers;
    for (std::vector<float>& vector : state) pointers.push_back(&vector[begin]);
    step.fetched = absl::MakeConstSpan(fetched).subspan(begin, end - begin);
    optimizer->Apply(step, absl::MakeConstSpan(gradient).subspan(begin, end - begin),
                     absl::MakeSpan(parameters).subspan(begin, end - begin), pointers);
  }
  void Step(const std::vector<float>& gradient, const std::vector<float>& fetched, float factor = 1) {
    Step({.factor = factor}, gradient, fetched, 0, parameters.size());
  }

  std::unique_ptr<Optimizer> optimizer;
  std::vector<float> parameters;
  std::vector<std::vector<float>> state;
};

TEST(Compensation, OfDelayAddsTheCurvatureThatTheSquareStandsFor) {
  Memory memory(Sgd(OptimizerDescription::DELAY, 0.25), {3, 3, 3});
  // g + 0.25 * g * g * (x - x_f): 2 + 0.25 * 4 * 2 = 4; 2 - 1 * 2 = 0 where x_f is 5; -2 + 0 at x itself
  memory.Step({2, 2, -2}, {1, 5, 3});
  EXPECT_THAT(memory.parameters, ElementsAre(1, 3, 4));
  EXPECT_TRUE(memory.optimizer->state_names().empty());
}

TEST(Compensation, OfDelayMayAdaptToTheMeanSquare) {
  Memory memory(Sgd(OptimizerDescription::ADAPTIVE_DELAY, 0.5), {3});
  // E[g^2] = 0.05 * 4 = 0.2; 2 + 0.5 / sqrt(0.2) * 4 * (3 - 1) = 2 + 8.94427 = 10.94427; times 0.5
  memory.Step({2}, {1});
  EXPECT_THAT(memory.parameters, ElementsAre(FloatEq(3 - 5.472135f)));
  EXPECT_THAT(memory.state[0], ElementsAre(FloatEq(0.2f)));
  EXPECT_THAT(memory.optimizer->state_names(), ElementsAre("compensation E[g^2]"));
}

TEST(Compensation, OfGapShortensStepsByTheWayGoneInUnitsOfTheRulesOwn) {
  Memory memory(Sgd(OptimizerDescription::GAP, 2), {3, 3, 3});
  // dx = -1, E[dx^2] = 0.05, RMS 0.2236068, times 2: 0.4472136. Gaps 0, 0.4472136, 1.3416408: 1, 1/2, 1/4.
  memory.Step({2, 2, 2}, {3, 3.4472136f, 1.6583592f});
  EXPECT_THAT(memory.parameters, ElementsAre(2, FloatEq(2.5), FloatEq(2.75)));
  EXPECT_THAT(memory.state[0], ElementsAre(FloatEq(0.05f), FloatEq(0.05f), FloatEq(0.05f)));
  memory.Step({0, 0, 0}, {0, 0, 0});  // no change: whatever the gap
  EXPECT_THAT(memory.parameters, ElementsAre(2, FloatEq(2.5), FloatEq(2.75)));
}

TEST(Compensation, OfGapKeepsStalenessAndScheduleOutOfTheMeanOfChanges) {
  Memory memory(Sgd(OptimizerDescription::GAP, 2), {3});
  memory.Step({2}, {3}, 0.25);
  EXPECT_THAT(memory.parameters, ElementsAre(2.75f));
  EXPECT_THAT(memory.state[0], ElementsAre(FloatEq(0.05f)));
}

class CompensationKinds : public ::testing::TestWithParam<OptimizerDescription::Compensation> {};

TEST_P(CompensationKinds, PiecesGiveTheBitsOfTheWhole) {
  constexpr size_t kElements = 9001;
  for (const auto kind : {OptimizerDescription::SGD, OptimizerDescription::ADADELTA}) {
    OptimizerDescription description = Sgd(GetParam(), 0.5);
    description.set_kind(kind);
    Random random(3);
    const auto normal = [&] {
      std::vector<float> values(kElements);
      for (float& value : values) value = static_cast<float>(random.Normal());
      return values;
    };
    Memory whole(description, normal());
    Memory pieces(description, whole.parameters);
    for (int t = 0; t < 20; ++t) {
      const std::vector<float> gradient = normal();
      std::vector<float> fetched = whole.parameters;
      for (float& value : fetched) value += 0.01f * static_cast<float>(random.Normal());
      const UpdateStep step{.factor = t % 2 == 0 ? 1.0f : 0.37f};
      whole.Step(step, gradient, fetched, 0, kElements);
      for (size_t begin = 0, end; begin < kElements; begin = end) {
        end = std::min<size_t>(kElements, begin + 1 + random.Below(5000));
        pieces.Step(step, gradient, fetched, begin, end);
      }
      const auto bytes = [](const std::vector<float>& values) {
        return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
      };
      ASSERT_EQ(bytes(whole.parameters), bytes(pieces.parameters)) << t;
      for (size_t k = 0; k < whole.state.size(); ++k)
        ASSERT_EQ(bytes(whole.state[k]), bytes(pieces.state[k])) << t;
    }
  }
}

// As the papers write them, in double precision, from the float state before each step.
TEST_P(CompensationKinds, EachOfThousandsOfStepsIsTheExactOne) {
  const float strength = 0.5;
  Memory memory(Sgd(GetParam(), strength), {0});
  Random random(4);
  for (int t = 0; t < 5000; ++t) {
    const double x = memory.parameters[0], g = static_cast<float>(random.Normal());
    const double fetched = static_cast<float>(x + 0.3 * random.Normal());
    const double mean = memory.state.empty() ? 0 : memory.state[0][0];
    double dx = -0.5 * g;
    if (GetParam() == OptimizerDescription::DELAY) dx = -0.5 * (g + strength * g * g * (x - fetched));
    if (GetParam() == OptimizerDescription::ADAPTIVE_DELAY) {
      const double adapted = strength / std::sqrt(0.95 * mean + 0.05 * g * g + 1e-7);
      dx = -0.5 * (g + adapted * g * g * (x - fetched));
    }
    if (GetParam() == OptimizerDescription::GAP) {
      const double rms = std::sqrt(0.95 * mean + 0.05 * dx * dx);
      dx /= 1 + std::abs(x - fetched) / (strength * rms);
    }
    memory.Step({static_cast<float>(g)}, {static_cast<float>(fetched)});
    ASSERT_NEAR(memory.parameters[0], x + dx, 1e-6 * (std::abs(x) + std::abs(dx) + std::abs(g))) << t;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CompensationKinds,
                         ::testing::Values(OptimizerDescription::DELAY, OptimizerDescription::ADAPTIVE_DELAY,
                                           OptimizerDescription::GAP),
                         [](const auto& info) {
                           return OptimizerDescription::Compensation_Name(info.param);
                         });

}  // namespace
}  // namespace downpour
