// Where on the data's way: an update rule; rates from mean gradients and curvature, Schaul et al. 2012 (vSGD-l).
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "common/check.h"
#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

constexpr float kLeast = 1e-9f;      // of the averages that the rule divides by
constexpr float kFirstMemory = 2.f;  // after the start

struct Numbers {
  float start_updates;
  float slow_start;
  float frames;
  float factor;
};

// `memory` is tau; while an element is in its start, it is minus the number of gradients seen.
DOWNPOUR_SIMD_CLONES
void Step(const Numbers numbers, size_t n, const float* __restrict gradient,
          const float* __restrict curvature, const float* __restrict squares, float* __restrict parameters,
          float* __restrict mean_g, float* __restrict mean_g2, float* __restrict mean_h,
          float* __restrict memory) {
  const float one_frame = 1 / numbers.frames;
  for (size_t i = 0; i < n; ++i) {
    const float g = Squarable(gradient[i]);
    const bool starting = memory[i] <= 0;
    const float weight = 1 / (starting ? 1 - memory[i] : memory[i]);
    const float g_bar = FlushSubnormal((1 - weight) * mean_g[i] + weight * g);
    const float v_bar = FlushSubnormal((1 - weight) * mean_g2[i] + weight * squares[i]);
    const float h_bar = FlushSubnormal((1 - weight) * mean_h[i] + weight * std::abs(curvature[i]));
    const float v = v_bar > kLeast ? v_bar : kLeast;
    const float h = h_bar > kLeast ? h_bar : kLeast;
    const float g_bar2 = g_bar * g_bar;
    const float share = std::min(1.f, g_bar2 / Saturate(v * one_frame + g_bar2 * (1 - one_frame)));
    const float change = starting ? 0 : -(share / h) * g;
    const bool started = starting && 1 - memory[i] >= numbers.start_updates;
    const float remembered = starting ? memory[i] - 1 : (1 - share) * memory[i] + 1;
    memory[i] = started ? kFirstMemory : remembered;
    mean_g[i] = g_bar;
    mean_g2[i] = started ? Saturate(numbers.slow_start * v_bar) : v_bar;
    mean_h[i] = h_bar;
    parameters[i] = Saturate(parameters[i] + numbers.factor * change);
  }
}

// vSGD-l of Schaul, Zhang and LeCun 2012, which Zeiler 2012 quotes as (7), for gradients that are means over n
// frames (Schaul and LeCun 2013). In each element, with averages of its own memory tau:
//   g_bar <- (1 - 1/tau) g_bar + g / tau, likewise v_bar of the frames' squared gradients and h_bar of |h|
//   share = g_bar^2 / (v_bar / n + (1 - 1/n) g_bar^2)
//   dx = -(share / h_bar) g
//   tau <- (1 - share) tau + 1
// The first start_updates gradients only fill the averages, as plain means; then v_bar is multiplied by
// slow_start, or by 1 if that is less. Averages that are divided by are 1e-9 at least. States "E[g]", "E[g^2]",
// "E[|h|]" and "memory". A push brings all three planes.
class Vsgd final : public Optimizer {
 public:
  explicit Vsgd(const OptimizerDescription& description)
      : Optimizer(description),
        numbers_{.start_updates = static_cast<float>(description.start_updates()),
                 .slow_start = std::max(description.slow_start(), 1.f),
                 .frames = static_cast<float>(std::max(description.minibatch(), 1)),
                 .factor = 1} {}

  std::vector<std::string> state_names() const override { return {"E[g]", "E[g^2]", "E[|h|]", "memory"}; }
  bool TakesPlanes(size_t planes) const override { return planes == 3; }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    DOWNPOUR_CHECK(step.curvature.size() == gradient.size() && step.squares.size() == gradient.size());
    Numbers numbers = numbers_;
    numbers.factor = step.factor;
    Step(numbers, parameters.size(), gradient.data(), step.curvature.data(), step.squares.data(),
         parameters.data(), state[0], state[1], state[2], state[3]);
  }

 private:
  const Numbers numbers_;
};

}  // namespace

template <>
std::unique_ptr<Optimizer> NewRule<OptimizerDescription::VSGD>(const OptimizerDescription& description) {
  return std::make_unique<Vsgd>(description);
}

}  // namespace downpour
