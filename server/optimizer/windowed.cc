// Where on the data's way: an update rule; divides by a decaying mean of squared gradients, Zeiler 2012 (10).
#include <cmath>
#include <cstddef>

#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

DOWNPOUR_SIMD_CLONES
void Step(float learning_rate, float rho, float epsilon, size_t n, const float* __restrict gradient,
          float* __restrict parameters, float* __restrict mean_g2) {
  for (size_t i = 0; i < n; ++i) {
    const float g = Squarable(gradient[i]);
    mean_g2[i] = DecayingMeanSquare(rho, mean_g2[i], g);
    parameters[i] = Saturate(parameters[i] - learning_rate * (g / std::sqrt(mean_g2[i] + epsilon)));
  }
}

// Eqn. 10 with 8 and 9 of Zeiler 2012: dx_t = -learning_rate / sqrt(E[g^2]_t + epsilon) g_t. State "E[g^2]".
class Windowed final : public Optimizer {
 public:
  using Optimizer::Optimizer;

  std::vector<std::string> state_names() const override { return {"E[g^2]"}; }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    Step(step.factor * learning_rate_, rho_, epsilon_, parameters.size(), gradient.data(), parameters.data(),
         state[0]);
  }
};

}  // namespace

template <>
std::unique_ptr<Optimizer> NewRule<OptimizerDescription::WINDOWED>(const OptimizerDescription& description) {
  return std::make_unique<Windowed>(description);
}

}  // namespace downpour
