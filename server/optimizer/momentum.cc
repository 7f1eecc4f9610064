// Where on the data's way: server/optimizer, inside the shard; the update rule with momentum, of Zeiler 2012.
#include <cstddef>

#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

DOWNPOUR_SIMD_CLONES
void Step(float factor, float learning_rate, float rho, size_t n, const float* __restrict gradient,
          float* __restrict parameters, float* __restrict dx) {
  for (size_t i = 0; i < n; ++i) {
    dx[i] = Saturate(FlushSubnormal(rho * dx[i] - learning_rate * gradient[i]));
    parameters[i] = Saturate(parameters[i] + factor * dx[i]);
  }
}

// Eqn. 4 of Zeiler 2012: dx_t = rho dx_{t-1} - learning_rate g_t. State "dx".
class Momentum final : public Optimizer {
 public:
  using Optimizer::Optimizer;

  std::vector<std::string> state_names() const override { return {"dx"}; }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    Step(step.factor, learning_rate_, rho_, parameters.size(), gradient.data(), parameters.data(), state[0]);
  }
};

}  // namespace

template <>
std::unique_ptr<Optimizer> NewRule<OptimizerDescription::MOMENTUM>(const OptimizerDescription& description) {
  return std::make_unique<Momentum>(description);
}

}  // namespace downpour
