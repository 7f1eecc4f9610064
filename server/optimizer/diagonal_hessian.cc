// Where on the data's way: an update rule; divides by the curvature, as Becker & LeCun 1988 in Zeiler 2012 (6).
#include <cmath>
#include <cstddef>

#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

// A mean that is 0 has seen no curvature yet, and begins with the first: otherwise it would be too small at
// first, and the steps too large.
DOWNPOUR_SIMD_CLONES
void Average(float rho, size_t n, const float* __restrict curvature, float* __restrict mean_h) {
  for (size_t i = 0; i < n; ++i) {
    const float h = std::abs(curvature[i]);
    const float mean = Saturate(rho * mean_h[i] + (1 - rho) * h);
    mean_h[i] = FlushSubnormal(mean_h[i] == 0 ? h : mean);
  }
}

DOWNPOUR_SIMD_CLONES
void Step(float learning_rate, float mu, size_t n, const float* __restrict gradient,
          float* __restrict parameters, const float* __restrict mean_h) {
  for (size_t i = 0; i < n; ++i)
    parameters[i] = Saturate(parameters[i] - learning_rate * Saturate(gradient[i] / (mean_h[i] + mu)));
}

// Eqn. 6 of Zeiler 2012 with a global rate, as in practice: dx_t = -learning_rate / (E[|h|]_t + mu) g_t, where
// E[|h|] <- rho E[|h|] + (1 - rho) |h| with each push that brings the curvature h. State "E[|h|]".
class DiagonalHessian final : public Optimizer {
 public:
  explicit DiagonalHessian(const OptimizerDescription& description)
      : Optimizer(description), mu_(description.mu()) {}

  std::vector<std::string> state_names() const override { return {"E[|h|]"}; }
  bool TakesPlanes(size_t planes) const override { return planes == 1 || planes == 2; }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    if (!step.curvature.empty()) Average(rho_, step.curvature.size(), step.curvature.data(), state[0]);
    Step(step.factor * learning_rate_, mu_, parameters.size(), gradient.data(), parameters.data(), state[0]);
  }

 private:
  const float mu_;
};

}  // namespace

template <>
std::unique_ptr<Optimizer> NewRule<OptimizerDescription::DIAGONAL_HESSIAN>(
    const OptimizerDescription& description) {
  return std::make_unique<DiagonalHessian>(description);
}

}  // namespace downpour
