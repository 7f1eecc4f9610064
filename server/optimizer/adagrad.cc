// Where on the data's way: server/optimizer, inside the shard; the update rule ADAGRAD as in Zeiler 2012.
#include <cmath>
#include <cstddef>

#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

DOWNPOUR_SIMD_CLONES
void Step(float learning_rate, size_t n, const float* __restrict gradient, float* __restrict parameters,
          float* __restrict sum_g2) {
  for (size_t i = 0; i < n; ++i) {
    const float g = Squarable(gradient[i]);
    const float sum = Saturate(sum_g2[i] + g * g);
    // At most 1 in magnitude. learning_rate / sqrt(sum) could be infinite, and infinity times 0 is NaN.
    const float direction = sum > 0 ? g / std::sqrt(sum) : 0;
    sum_g2[i] = sum;
    parameters[i] = Saturate(parameters[i] - learning_rate * direction);
  }
}

// Eqn. 5 of Zeiler 2012, without epsilon: dx_t = -learning_rate / sqrt(sum of g^2 up to t) g_t. Where the sum
// is 0 the paper divides 0 by 0; there dx = 0, also where g^2 is too small for a float32 (|g| < 2^-75).
class Adagrad final : public Optimizer {
 public:
  using Optimizer::Optimizer;

  std::vector<std::string> state_names() const override { return {"sum g^2"}; }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    Step(step.factor * learning_rate_, parameters.size(), gradient.data(), parameters.data(), state[0]);
  }
};

}  // namespace

template <>
std::unique_ptr<Optimizer> NewRule<OptimizerDescription::ADAGRAD>(const OptimizerDescription& description) {
  return std::make_unique<Adagrad>(description);
}

}  // namespace downpour
