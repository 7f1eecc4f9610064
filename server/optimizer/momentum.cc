// Where on the data's way: an update rule; momentum, Zeiler 2012 (4).
#include <cstddef>

#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"
#include "server/optimizer/rules.h"

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

class Momentum final : public Optimizer {
 public:
  Momentum(float learning_rate, float rho) : learning_rate_(learning_rate), rho_(rho) {}

  std::vector<std::string> state_names() const override { return {"dx"}; }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    Step(step.factor, learning_rate_, rho_, parameters.size(), gradient.data(), parameters.data(), state[0]);
  }

 private:
  const float learning_rate_;
  const float rho_;
};

}  // namespace

std::unique_ptr<Optimizer> NewMomentum(float learning_rate, float rho) {
  return std::make_unique<Momentum>(learning_rate, rho);
}

}  // namespace downpour
