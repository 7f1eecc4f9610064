// Where on the data's way: inside the shard; 10,000 steps of each rule against double precision.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "common/random.h"
#include "gtest/gtest.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

constexpr int kSteps = 10000;
constexpr int kElements = 19;  // neither a whole number of vectors nor less than one
constexpr double kUlp = 0x1p-23;

// One dimension of any rule, as the paper writes it.
struct Oracle {
  double x = 0;
  double mean_or_sum_g2 = 0;
  double mean_dx2 = 0;
  double dx = 0;

  void Step(const OptimizerDescription& rule, double g, double factor = 1) {
    const double rho = rule.rho();
    const double epsilon = rule.epsilon();
    const double eta = rule.learning_rate();
    switch (rule.kind()) {
      case OptimizerDescription::SGD:
        dx = -eta * g;
        break;
      case OptimizerDescription::MOMENTUM:
        dx = rho * dx - eta * g;
        break;
      case OptimizerDescription::ADAGRAD:
        mean_or_sum_g2 += g * g;
        dx = mean_or_sum_g2 == 0 ? 0 : -eta / std::sqrt(mean_or_sum_g2) * g;
        break;
      case OptimizerDescription::WINDOWED:
        mean_or_sum_g2 = rho * mean_or_sum_g2 + (1 - rho) * g * g;
        dx = -eta / std::sqrt(mean_or_sum_g2 + epsilon) * g;
        break;
      case OptimizerDescription::ADADELTA:
        mean_or_sum_g2 = rho * mean_or_sum_g2 + (1 - rho) * g * g;
        dx = -std::sqrt(mean_dx2 + epsilon) / std::sqrt(mean_or_sum_g2 + epsilon) * g;
        mean_dx2 = rho * mean_dx2 + (1 - rho) * dx * dx;
        break;
      case OptimizerDescription::DIAGONAL_HESSIAN:  // in plane_rules_test.cc
      case OptimizerDescription::VSGD:
        break;
    }
    x += factor * dx;
  }

  // In the order of Optimizer::state_names().
  std::vector<double> State(OptimizerDescription::Kind kind) const {
    if (kind == OptimizerDescription::SGD) return {};
    if (kind == OptimizerDescription::MOMENTUM) return {dx};
    if (kind == OptimizerDescription::ADADELTA) return {mean_or_sum_g2, mean_dx2};
    return {mean_or_sum_g2};
  }
  void SetState(OptimizerDescription::Kind kind, const std::vector<double>& state) {
    if (kind == OptimizerDescription::SGD) return;
    (kind == OptimizerDescription::MOMENTUM ? dx : mean_or_sum_g2) = state[0];
    if (kind == OptimizerDescription::ADADELTA) mean_dx2 = state[1];
  }
};

// The rule under test with its memory, all elements driven at once.
struct Rule {
  explicit Rule(const OptimizerDescription& description)
      : optimizer(*Optimizer::Create(description)),
        parameters(kElements),
        state(optimizer->state_names().size(), std::vector<float>(kElements)) {}

  void Step(const std::vector<float>& gradient, const UpdateStep& step = {}) {
    std::vector<float*> pointers;
    for (std::vector<float>& vector : state) pointers.push_back(vector.data());
    optimizer->Apply(step, gradient, absl::MakeSpan(parameters), pointers);
  }

  std::unique_ptr<Optimizer> optimizer;
  std::vector<float> parameters;
  std::vector<std::vector<float>> state;
};

struct Gradients {
  std::string name;
  std::function<float(int t, Random* random)> next;
};

const std::vector<Gradients>& AllGradients() {
  static const auto* const all = new std::vector<Gradients>{
      {"random", [](int, Random* random) { return static_cast<float>(random->Normal()); }},
      {"constant", [](int, Random*) { return 0.1f; }},
      {"huge", [](int, Random* random) { return static_cast<float>(1e15 * random->Normal()); }},
      {"tiny", [](int, Random* random) { return static_cast<float>(1e-15 * random->Normal()); }},
      {"zero", [](int, Random*) { return 0.f; }},
      {"spiky", [](int t, Random* random) {
         return static_cast<float>(random->Normal() * (t % 97 == 0 ? 1e6 : t % 5 == 0 ? 0 : 1e-3));
       }}};
  return *all;
}

class OptimizerOracle : public ::testing::TestWithParam<OptimizerDescription::Kind> {
 protected:
  OptimizerOracle() { description_.set_kind(GetParam()); }

  OptimizerDescription description_;
  std::vector<float> gradient_ = std::vector<float>(kElements);
};

// From the float state before each step, the exact step. A handful of roundings (at most 7 operations follow
// one another, each within half an ulp, and square roots halve errors) stay within 4 ulp; of a difference
// (momentum), 4 ulp of its larger term. x is set to 0 each time, so that dx is seen to its last bit.
TEST_P(OptimizerOracle, EachStepIsWithinFourUlpOfTheExactOne) {
  for (const Gradients& gradients : AllGradients()) {
    SCOPED_TRACE(gradients.name);
    Random random(1);
    Rule rule(description_);
    for (int t = 0; t < kSteps && !HasFailure(); ++t) {
      for (float& g : gradient_) g = gradients.next(t, &random);
      std::vector<Oracle> exact(kElements);
      for (int i = 0; i < kElements; ++i) {
        std::vector<double> before;
        for (const std::vector<float>& vector : rule.state) before.push_back(vector[i]);
        exact[i].SetState(GetParam(), before);
        exact[i].Step(description_, gradient_[i]);
      }
      std::fill(rule.parameters.begin(), rule.parameters.end(), 0.f);
      rule.Step(gradient_);
      for (int i = 0; i < kElements; ++i) {
        // Below float32's smallest normal number, 1.2e-38, state is flushed to 0.
        const double scale =
            std::max(std::abs(exact[i].dx), std::abs(double{description_.learning_rate()} * gradient_[i]));
        const double dx_scale = GetParam() == OptimizerDescription::MOMENTUM ? scale : std::abs(exact[i].dx);
        ASSERT_NEAR(rule.parameters[i], exact[i].x, 4 * kUlp * dx_scale + 1.2e-38) << "step " << t;
        const std::vector<double> state = exact[i].State(GetParam());
        for (size_t k = 0; k < state.size(); ++k) {
          const double state_scale = GetParam() == OptimizerDescription::MOMENTUM ? scale : state[k];
          ASSERT_NEAR(rule.state[k][i], state[k], 4 * kUlp * state_scale + 1.2e-38) << "step " << t;
        }
      }
    }
  }
}

// How far rounding lets a trajectory of T = 10,000 steps stray, in multiples of the way gone (the sum of
// |dx|). Unit: half an ulp, u = 2^-24.
//   SGD: one product, u.   Momentum: dx sums its roundings over 1 / (1 - rho) = 20 steps: 3 u * 20.
//   ADAGRAD: the sum takes a rounding a step, T u, halved by the root: T u / 2.
//   Windowed: E[g^2] sums 3 u over 20 steps, halved by the root; 3 more follow: 33 u.
//   ADADELTA: as windowed; and RMS[dx] feeds on dx, so that errors also pile up from one window of 20 steps
//   to the next: 33 u * T / 20 if all pointed one way.
// To that, one rounding of x a step: u |x| each.
double RelativeError(OptimizerDescription::Kind kind) {
  constexpr double u = kUlp / 2;
  switch (kind) {
    case OptimizerDescription::SGD:
      return u;
    case OptimizerDescription::MOMENTUM:
      return 60 * u;
    case OptimizerDescription::ADAGRAD:
      return kSteps * u / 2;
    case OptimizerDescription::WINDOWED:
      return 33 * u;
    case OptimizerDescription::ADADELTA:
      return 33 * u * kSteps / 20;
    case OptimizerDescription::DIAGONAL_HESSIAN:
    case OptimizerDescription::VSGD:
      break;
  }
  return 0;
}

// Every push has another staleness, so that its change is another part of the rule's.
TEST_P(OptimizerOracle, TenThousandStepsStayWithinWhatRoundingAllows) {
  description_.set_staleness_exponent(0.75);
  description_.set_staleness_tolerance(4);
  for (const Gradients& gradients : AllGradients()) {
    SCOPED_TRACE(gradients.name);
    Random random(2);
    Rule rule(description_);
    std::vector<Oracle> exact(kElements);
    std::vector<double> way(kElements), roundings(kElements);
    for (int t = 0; t < kSteps; ++t) {
      for (float& g : gradient_) g = gradients.next(t, &random);
      const int staleness = t * 37 % 200;
      rule.Step(gradient_, StepOf(description_, t + 1, staleness));
      for (int i = 0; i < kElements; ++i) {
        exact[i].Step(description_, gradient_[i], std::pow(1 + staleness / 4.0, -0.75));
        way[i] += std::abs(exact[i].dx);
        roundings[i] += kUlp / 2 * std::abs(exact[i].x);
      }
    }
    for (int i = 0; i < kElements; ++i) {
      ASSERT_NEAR(rule.parameters[i], exact[i].x, RelativeError(GetParam()) * way[i] + roundings[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, OptimizerOracle,
                         ::testing::Values(OptimizerDescription::SGD, OptimizerDescription::MOMENTUM,
                                           OptimizerDescription::ADAGRAD, OptimizerDescription::WINDOWED,
                                           OptimizerDescription::ADADELTA),
                         [](const auto& info) { return OptimizerDescription::Kind_Name(info.param); });

}  // namespace
}  // namespace downpour
