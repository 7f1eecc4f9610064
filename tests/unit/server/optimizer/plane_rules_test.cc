// Where on the data's way: inside the shard; the rules that want more planes than the gradient, by hand and
// against double precision.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

constexpr double kUlp = 0x1p-23;

OptimizerDescription DiagonalHessian() {
  OptimizerDescription description;
  description.set_kind(OptimizerDescription::DIAGONAL_HESSIAN);
  description.set_learning_rate(0.5);
  description.set_rho(0.5);
  description.set_mu(0.5);
  return description;
}

OptimizerDescription Vsgd(int64_t start_updates, int32_t minibatch) {
  OptimizerDescription description;
  description.set_kind(OptimizerDescription::VSGD);
  description.set_start_updates(start_updates);
  description.set_slow_start(2);
  description.set_minibatch(minibatch);
  return description;
}

// The rule with its memory. `curvature` and `squares` may be empty.
struct Rule {
  Rule(const OptimizerDescription& description, size_t elements)
      : optimizer(*Optimizer::Create(description)),
        parameters(elements),
        state(optimizer->state_names().size(), std::vector<float>(elements)) {}

  void Step(const std::vector<float>& gradient, const std::vector<float>& curvature,
            const std::vector<float>& squares, size_t begin, size_t end, float factor = 1) {
    const auto part = [&](const std::vector<float>& plane) {
      return absl::MakeConstSpan(plane).subspan(plane.empty() ? 0 : begin, plane.empty() ? 0 : end - begin);
    };
    UpdateStep step{.factor = factor, .curvature = part(curvature), .squares = part(squares)};
    std::vector<float*> pointers;
    for (std::vector<float>& vector : state) pointers.push_back(vector.data() + begin);
    optimizer->Apply(step, part(gradient), absl::MakeSpan(parameters).subspan(begin, end - begin), pointers);
  }
  float Step(float gradient, std::vector<float> curvature, std::vector<float> squares = {},
             float factor = 1) {
    Step(std::vector<float>{gradient}, curvature, squares, 0, 1, factor);
    return parameters[0];
  }
  std::vector<float> FirstState() const {
    std::vector<float> first;
    for (const std::vector<float>& vector : state) first.push_back(vector[0]);
    return first;
  }

  std::unique_ptr<Optimizer> optimizer;
  std::vector<float> parameters;
  std::vector<std::vector<float>> state;
};

TEST(DiagonalHessianRule, FollowsEquation6) {
  Rule x(DiagonalHessian(), 1);
  x.parameters[0] = 1;
  EXPECT_EQ(x.Step(1, {1.5f}), 0.75f);       // E|h| begins with 1.5: dx = -0.5 * 1 / (1.5 + 0.5)
  EXPECT_EQ(x.Step(1, {}), 0.5f);            // without the curvature the mean stays
  EXPECT_EQ(x.Step(-3, {-0.5f}), 1.5f);      // 0.5 * 1.5 + 0.5 * |-0.5| = 1: dx = 0.5 * 3 / 1.5
  EXPECT_EQ(x.Step(3, {}, {}, 0.5f), 1.0f);  // half of -1
  EXPECT_THAT(x.FirstState(), ElementsAre(1));
}

TEST(VsgdRule, FollowsItsFourLinesAfterTheStart) {
  Rule x(Vsgd(2, 1), 1);
  x.parameters[0] = 1;
  EXPECT_EQ(x.Step(1, {2}, {1}), 1);
  EXPECT_THAT(x.FirstState(), ElementsAre(1, 1, 2, -1));
  EXPECT_EQ(x.Step(3, {-4}, {9}), 1);
  EXPECT_THAT(x.FirstState(), ElementsAre(2, 10, 3, 2));  // plain means; v is doubled; tau = 2
  // E[g] = 2, E[g^2] = (10 + 4) / 2 = 7, E|h| = 3; share = 4/7; dx = -(4/7) / 3 * 2; tau = (3/7) * 2 + 1.
  EXPECT_FLOAT_EQ(x.Step(2, {3}, {4}), 13.f / 21);
  EXPECT_THAT(x.FirstState(), ElementsAre(2, 7, 3, FloatEq(13.f / 7)));
}

TEST(VsgdRule, TakesMeansOverAMinibatchForWhatTheyAre) {
  Rule x(Vsgd(2, 4), 1);
  x.Step(1, {2}, {1});
  x.Step(3, {4}, {9});
  // share = 4 / (7/4 + 3/4 * 4) = 16/19; dx = -(16/19) / 3 * 2; tau = (3/19) * 2 + 1.
  EXPECT_FLOAT_EQ(x.Step(2, {3}, {4}), -32.f / 57);
  EXPECT_FLOAT_EQ(x.FirstState()[3], 25.f / 19);
}

TEST(PlaneRules, TakeTheNumberOfPlanesThatTheyNeed) {
  for (const size_t planes : {1, 2, 3}) {
    EXPECT_EQ((*Optimizer::Create(OptimizerDescription()))->TakesPlanes(planes), planes == 1);
    EXPECT_EQ((*Optimizer::Create(DiagonalHessian()))->TakesPlanes(planes), planes <= 2);
    EXPECT_EQ((*Optimizer::Create(Vsgd(10, 1)))->TakesPlanes(planes), planes == 3);
  }
}

TEST(PlaneRules, StayFiniteAtTheLimitsOfFloats) {
  constexpr float kMost = std::numeric_limits<float>::max();
  for (const OptimizerDescription& description : {DiagonalHessian(), Vsgd(1, 1), Vsgd(2, 100)}) {
    Rule rule(description, 1);
    for (const float gradient : {0.f, kMost, -kMost, 1e-45f, 0.f, 1.f}) {
      for (const float curvature : {0.f, kMost, -kMost, 1e-45f}) {
        for (const float squares : {0.f, kMost, 1e-45f}) {
          for (const float factor : {1.f, 0.f}) rule.Step(gradient, {curvature}, {squares}, factor);
          ASSERT_TRUE(std::isfinite(rule.parameters[0])) << gradient << " " << curvature << " " << squares;
          for (const float state : rule.FirstState()) ASSERT_TRUE(std::isfinite(state));
        }
      }
    }
  }
}

// A loss that is multiplied by s has s times the gradient and the curvature, and s^2 times the squares: the
// step has no unit of it. With a power of two no bit differs.
TEST(VsgdRule, DoesNotSeeTheScaleOfTheLoss) {
  Rule plain(Vsgd(10, 20), 1), scaled(Vsgd(10, 20), 1);
  Random random(3);
  for (int t = 0; t < 1000; ++t) {
    const auto g = static_cast<float>(random.Normal() + 0.5), h = static_cast<float>(random.Uniform() + 0.1);
    const float squares = g * g + 20;
    plain.Step(g, {h}, {squares});
    scaled.Step(1024 * g, {1024 * h}, {1024 * 1024 * squares});
    ASSERT_EQ(plain.parameters[0], scaled.parameters[0]) << t;
  }
  EXPECT_NE(plain.parameters[0], 0);
}

// One element in double precision.
struct Oracle {
  double x = 0, g_bar = 0, v_bar = 0, h_bar = 0, tau = 0;

  void Step(const OptimizerDescription& rule, double g, double h, double squares, bool brings_curvature) {
    if (rule.kind() == OptimizerDescription::DIAGONAL_HESSIAN) {
      if (brings_curvature)
        h_bar = h_bar == 0 ? std::abs(h) : rule.rho() * h_bar + (1 - double{rule.rho()}) * std::abs(h);
      x -= rule.learning_rate() * g / (h_bar + rule.mu());
      return;
    }
    const double n = rule.minibatch();
    const bool starting = tau <= 0;
    const double weight = starting ? 1 / (1 - tau) : 1 / tau;
    g_bar += weight * (g - g_bar);
    v_bar += weight * (squares - v_bar);
    h_bar += weight * (std::abs(h) - h_bar);
    if (starting) {
      tau -= 1;
      if (tau > -static_cast<double>(rule.start_updates())) return;
      v_bar *= rule.slow_start();
      tau = 2;
      return;
    }
    const double share = n * g_bar * g_bar / (std::max(v_bar, 1e-9) + (n - 1) * g_bar * g_bar);
    x -= std::min(share, 1.0) / std::max(h_bar, 1e-9) * g;
    tau = (1 - std::min(share, 1.0)) * tau + 1;
  }
};

// A rule and its minibatch.
class PlaneRulesOracle : public ::testing::TestWithParam<std::pair<OptimizerDescription::Kind, int>> {
 protected:
  const OptimizerDescription rule_ =
      GetParam().first == OptimizerDescription::VSGD ? Vsgd(10, GetParam().second) : DiagonalHessian();
};

// Averages forget, so rounding does not pile up in the state; it does in x, by half an ulp of it a step. In
// vSGD tau and the averages feed on each other, which the tolerance of 100 ulp of the way gone allows for.
TEST_P(PlaneRulesOracle, TenThousandStepsStayWithinWhatRoundingAllows) {
  constexpr int kSteps = 10000, kElements = 19;
  Random random(5);
  Rule rule(rule_, kElements);
  std::vector<Oracle> exact(kElements);
  std::vector<double> way(kElements), roundings(kElements);
  std::vector<float> gradient(kElements), curvature(kElements), squares(kElements);
  for (int t = 0; t < kSteps; ++t) {
    const bool brings = rule_.kind() == OptimizerDescription::VSGD || t % 7 == 0;
    for (int i = 0; i < kElements; ++i) {
      const double scale = std::pow(10.0, i % 5 - 2);
      gradient[i] = static_cast<float>(scale * (random.Normal() + 0.3 * std::cos(t / 500.0)));
      curvature[i] = static_cast<float>(scale * (0.5 + random.Uniform()) * (t % 11 == 0 ? -1 : 1));
      squares[i] = gradient[i] * gradient[i] + static_cast<float>(scale * scale * 10 * random.Uniform());
    }
    rule.Step(gradient, brings ? curvature : std::vector<float>(), squares, 0, kElements);
    for (int i = 0; i < kElements; ++i) {
      const double before = exact[i].x;
      exact[i].Step(rule_, gradient[i], curvature[i], squares[i], brings);
      way[i] += std::abs(exact[i].x - before);
      roundings[i] += kUlp / 2 * std::abs(exact[i].x);
    }
  }
  for (int i = 0; i < kElements; ++i) {
    EXPECT_GT(way[i], 1) << "nothing was tested";
    EXPECT_NEAR(rule.parameters[i], exact[i].x, 100 * kUlp * way[i] + roundings[i]);
    EXPECT_NEAR(rule.state.back()[i],
                rule_.kind() == OptimizerDescription::VSGD ? exact[i].tau : exact[i].h_bar,
                1e-4 * rule.state.back()[i]);
  }
}

std::vector<uint32_t> BitsOf(const std::vector<float>& values) {
  std::vector<uint32_t> bits(values.size());
  std::transform(values.begin(), values.end(), bits.begin(),
                 [](float value) { return std::bit_cast<uint32_t>(value); });
  return bits;
}

TEST_P(PlaneRulesOracle, PiecesGiveTheBitsOfTheWhole) {
  constexpr size_t kElements = 1531;
  Rule whole(rule_, kElements), pieces(rule_, kElements);
  Random random(7);
  std::vector<float> gradient(kElements), curvature(kElements), squares(kElements);
  for (int t = 0; t < 200; ++t) {
    for (size_t i = 0; i < kElements; ++i) {
      const double scale = std::pow(10, 20 * random.Uniform() - 10);
      gradient[i] = random.Below(8) == 0 ? 0.f : static_cast<float>(scale * random.Normal());
      curvature[i] = random.Below(8) == 0 ? 0.f : static_cast<float>(scale * random.Normal());
      squares[i] = gradient[i] * gradient[i];
    }
    whole.Step(gradient, curvature, squares, 0, kElements);
    for (size_t begin = 0, end; begin < kElements; begin = end) {
      end = std::min<size_t>(kElements, begin + 1 + random.Below(random.Below(4) == 0 ? 500 : 40));
      pieces.Step(gradient, curvature, squares, begin, end);
    }
    ASSERT_EQ(BitsOf(whole.parameters), BitsOf(pieces.parameters));
    for (size_t k = 0; k < whole.state.size(); ++k)
      ASSERT_EQ(BitsOf(whole.state[k]), BitsOf(pieces.state[k]));
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, PlaneRulesOracle,
                         ::testing::Values(std::pair(OptimizerDescription::DIAGONAL_HESSIAN, 0),
                                           std::pair(OptimizerDescription::VSGD, 1),
                                           std::pair(OptimizerDescription::VSGD, 100)),
                         [](const auto& info) {
                           return OptimizerDescription::Kind_Name(info.param.first) +
                                  std::to_string(info.param.second);
                         });

}  // namespace
}  // namespace downpour
