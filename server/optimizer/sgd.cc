// Where on the data's way: server/optimizer, inside the shard; the update rule SGD as in Zeiler 2012.
#include <cstddef>

#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

DOWNPOUR_SIMD_CLONES
void Step(float learning_rate, size_t n, const float* __restrict gradient, float* __restrict parameters) {
  for (size_t i = 0; i < n; ++i) parameters[i] = Saturate(parameters[i] - learning_rate * gradient[i]);
}

// Eqn. 2 of Zeiler 2012: dx = -learning_rate g. No state.
class Sgd final : public Optimizer {
 public:
  using Optimizer::Optimizer;

  std::vector<std::string> state_names() const override { return {}; }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> /*state*/) const override {
    Step(step.factor * learning_rate_, parameters.size(), gradient.data(), parameters.data());
  }
};

}  // namespace

template <>
std::unique_ptr<Optimizer> NewRule<OptimizerDescription::SGD>(const OptimizerDescription& description) {
  return std::make_unique<Sgd>(description);
}

}  // namespace downpour
