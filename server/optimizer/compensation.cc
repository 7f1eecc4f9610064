// Where on the data's way: inside the shard; changes the gradient before the rule, or its step after it.
#include "server/optimizer/compensation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "common/check.h"
#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"

namespace downpour {
namespace {

constexpr size_t kBlock = 4096;  // elements that are worked on at once, in memory on the stack
constexpr float kRho = 0.95f;

// g + strength g g `moved`, the way that the parameter went since the fetch.
inline float Compensated(float gradient, float strength, float moved) {
  const float g = Squarable(gradient);
  return Saturate(gradient + Saturate(strength * (g * g)) * moved);
}

DOWNPOUR_SIMD_CLONES
void CompensateDelay(float strength, size_t n, const float* __restrict gradient,
                     const float* __restrict parameters, const float* __restrict fetched,
                     float* __restrict compensated) {
  for (size_t i = 0; i < n; ++i)
    compensated[i] = Compensated(gradient[i], strength, parameters[i] - fetched[i]);
}

DOWNPOUR_SIMD_CLONES
void CompensateDelayAdaptively(float strength, size_t n, const float* __restrict gradient,
                               const float* __restrict parameters, const float* __restrict fetched,
                               float* __restrict mean_g2, float* __restrict compensated) {
  for (size_t i = 0; i < n; ++i) {
    mean_g2[i] = DecayingMeanSquare(kRho, mean_g2[i], Squarable(gradient[i]));
    const float adapted = strength / std::sqrt(mean_g2[i] + 1e-7f);
    compensated[i] = Compensated(gradient[i], adapted, parameters[i] - fetched[i]);
  }
}

DOWNPOUR_SIMD_CLONES
void StepByGap(float factor, float strength, size_t n, const float* __restrict dx,
               const float* __restrict fetched, float* __restrict parameters, float* __restrict mean_dx2) {
  for (size_t i = 0; i < n; ++i) {
    mean_dx2[i] = DecayingMeanSquare(kRho, mean_dx2[i], Squarable(dx[i]));
    const float scale = strength * std::sqrt(mean_dx2[i]);
    const float all = scale + std::abs(parameters[i] - fetched[i]);
    const float share = all > 0 ? scale / all : 1;  // where nothing has moved yet there is no gap
    parameters[i] = Saturate(parameters[i] + factor * share * dx[i]);
  }
}

class Compensation final : public Optimizer {
 public:
  Compensation(const OptimizerDescription& description, std::unique_ptr<Optimizer> rule)
      : Optimizer(description),
        kind_(description.compensation()),
        strength_(description.compensation_strength()),
        rule_(std::move(rule)),
        rule_states_(rule_->state_names().size()) {}

  std::vector<std::string> state_names() const override {
    std::vector<std::string> names = rule_->state_names();
    if (kind_ == OptimizerDescription::ADAPTIVE_DELAY) names.push_back("compensation E[g^2]");
    if (kind_ == OptimizerDescription::GAP) names.push_back("compensation E[dx^2]");
    return names;
  }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    DOWNPOUR_CHECK(step.fetched.size() == parameters.size());
    std::vector<float*> pointers(state.begin(), state.end());
    for (size_t begin = 0; begin < parameters.size(); begin += kBlock) {
      UpdateStep part = step;
      part.fetched = step.fetched.subspan(begin, kBlock);
      ApplyBlock(part, gradient.subspan(begin, kBlock), parameters.subspan(begin, kBlock), pointers);
      for (float*& pointer : pointers) pointer += part.fetched.size();
    }
  }

 private:
  void ApplyBlock(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
                  absl::Span<float* const> state) const {
    const size_t n = parameters.size();
    std::array<float, kBlock> memory;
    const absl::Span<float> block = absl::MakeSpan(memory).first(n);
    switch (kind_) {
      case OptimizerDescription::NONE:
        break;
      case OptimizerDescription::DELAY:
        CompensateDelay(strength_, n, gradient.data(), parameters.data(), step.fetched.data(), block.data());
        break;
      case OptimizerDescription::ADAPTIVE_DELAY:
        CompensateDelayAdaptively(strength_, n, gradient.data(), parameters.data(), step.fetched.data(),
                                  state.back(), block.data());
        break;
      case OptimizerDescription::GAP: {
        UpdateStep whole = step;
        whole.factor = 1;
        std::fill(block.begin(), block.end(), 0.f);  // rules add to it, so that it becomes their change
        rule_->Apply(whole, gradient, block, state.first(rule_states_));
        StepByGap(step.factor, strength_, n, block.data(), step.fetched.data(), parameters.data(),
                  state.back());
        return;
      }
    }
    rule_->Apply(step, block, parameters, state.first(rule_states_));
  }

  const OptimizerDescription::Compensation kind_;
  const float strength_;
  const std::unique_ptr<Optimizer> rule_;
  const size_t rule_states_;
};

}  // namespace

std::unique_ptr<Optimizer> WithCompensation(const OptimizerDescription& description,
                                            std::unique_ptr<Optimizer> rule) {
  if (description.compensation() == OptimizerDescription::NONE) return rule;
  return std::make_unique<Compensation>(description, std::move(rule));
}

}  // namespace downpour
