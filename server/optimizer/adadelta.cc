// Where on the data's way: server/optimizer, inside the shard; the update rule ADADELTA of Zeiler 2012.
#include <cmath>
#include <cstddef>

#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

DOWNPOUR_SIMD_CLONES
void Step(float factor, float rho, float epsilon, size_t n, const float* __restrict gradient,
          float* __restrict parameters, float* __restrict mean_g2, float* __restrict mean_dx2) {
  for (size_t i = 0; i < n; ++i) {
    const float g = Squarable(gradient[i]);
    mean_g2[i] = DecayingMeanSquare(rho, mean_g2[i], g);                                         // line 4
    const float dx = -std::sqrt(mean_dx2[i] + epsilon) * (g / std::sqrt(mean_g2[i] + epsilon));  // line 5
    mean_dx2[i] = DecayingMeanSquare(rho, mean_dx2[i], dx);                                      // line 6
    parameters[i] = Saturate(parameters[i] + factor * dx);                                       // line 7
  }
}

// Algorithm 1 of Zeiler 2012: dx_t = -sqrt(E[dx^2]_{t-1} + epsilon) / sqrt(E[g^2]_t + epsilon) g_t.
class Adadelta final : public Optimizer {
 public:
  using Optimizer::Optimizer;

  std::vector<std::string> state_names() const override { return {"E[g^2]", "E[dx^2]"}; }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    Step(step.factor, rho_, epsilon_, parameters.size(), gradient.data(), parameters.data(), state[0],
         state[1]);
  }
};

}  // namespace

template <>
std::unique_ptr<Optimizer> NewRule<OptimizerDescription::ADADELTA>(const OptimizerDescription& description) {
  return std::make_unique<Adadelta>(description);
}

}  // namespace downpour
