// Where on the data's way: inside the network; the sums and exponentials of one frame's scores, in vectors.
#include "worker/network/softmax.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "common/tensor/simd_clones.h"

#if defined(__x86_64__) && defined(__GLIBC__)
extern "C" {
// glibc has expf for whole vectors too (libmvec, within 4 ulp), but declares it only under -ffast-math.
#pragma omp declare simd notinbranch
float expf(float) noexcept;
}
#endif

namespace downpour {
namespace {

// Each lane has a maximum of its own, so that the compiler can use vector registers without reordering
// comparisons. NaN never becomes the maximum.
float Maximum(absl::Span<const float> values) {
  constexpr size_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
  }
  float maximum = *std::max_element(lanes, lanes + kLanes);
  for (; i < values.size(); ++i) maximum = values[i] > maximum ? values[i] : maximum;
  return maximum;
}

int32_t FirstAt(absl::Span<const float> values, float value) {
  const auto found = std::find(values.begin(), values.end(), value);
  return found == values.end() ? 0 : static_cast<int32_t>(found - values.begin());
}

// The sum of exp(scores[i] - maximum).
DOWNPOUR_SIMD_CLONES
double SumOfExponentials(const float* scores, size_t n, float maximum) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; ++i) sum += expf(scores[i] - maximum);
  return sum;
}

// The same sum, in which each scores[i] is replaced by its exponential.
DOWNPOUR_SIMD_CLONES
double Exponentiate(float* scores, size_t n, float maximum) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; ++i) {
    scores[i] = expf(scores[i] - maximum);
    sum += scores[i];
  }
  return sum;
}

}  // namespace

FrameScore SoftmaxCrossEntropy(absl::Span<const float> scores, int32_t label) {
  const float maximum = Maximum(scores);
  const double sum = SumOfExponentials(scores.data(), scores.size(), maximum);
  return {std::log(sum) - (scores[label] - maximum), FirstAt(scores, maximum)};
}

FrameScore SoftmaxCrossEntropyGradient(absl::Span<float> scores, int32_t label, float scale) {
  const float maximum = Maximum(scores);
  const int32_t prediction = FirstAt(scores, maximum);
  const float label_score = scores[label] - maximum;
  const double sum = Exponentiate(scores.data(), scores.size(), maximum);
  const float factor = static_cast<float>(scale / sum);
  for (float& score : scores) score *= factor;
  scores[label] -= scale;
  return {std::log(sum) - label_score, prediction};
}

void SoftmaxCurvature(absl::Span<const float> gradient, int32_t label, float scale,
                      absl::Span<float> curvature) {
  // The gradient is scale * p, and scale * (p - 1) at the label. Rounding may make p larger than 1.
  for (size_t i = 0; i < gradient.size(); ++i)
    curvature[i] = std::max(gradient[i] * (1 - gradient[i] / scale), 0.f);
  curvature[label] = std::max(-gradient[label] * (1 + gradient[label] / scale), 0.f);
}

}  // namespace downpour
