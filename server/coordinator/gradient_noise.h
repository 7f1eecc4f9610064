// Where on the data's way: from the replicas' gradient sketches to the log; how much gradients differ.
#ifndef DOWNPOUR_SERVER_COORDINATOR_GRADIENT_NOISE_H_
#define DOWNPOUR_SERVER_COORDINATOR_GRADIENT_NOISE_H_

#include <array>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/wire/gradient_sketch_size.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

// The simple noise scale of McCandlish et al. 2018 (appendix A), from sketches of pushes
// (worker/replica/gradient_sketch.h). kWindow sketches that follow one another, whichever replicas they come
// from, make a window. Each window gives the unbiased variance of its sketches, and the squared norm of their
// mean less what the variance adds to it; both are averaged over windows. A longer window would tell the norm
// better, but would take more of the mean gradient's own movement for noise. A value; not thread-safe.
class GradientNoise {
 public:
  static constexpr int kWindow = 32;

  // `sketch` has kGradientSketchSize elements.
  void Add(absl::Span<const float> sketch);
  // Adds the windows of `later`, which came after. Of the two windows under way only that of `later` is kept.
  void Merge(const GradientNoise& later);

  // These three are absent before the first window is whole.

  // tr(Sigma): the expected squared distance of a push's gradient from the mean gradient.
  std::optional<double> Variance() const { return Ratio(variance_sum_, windows_); }
  // |G|^2, the mean gradient's squared norm. The estimate may be negative where the variance is much larger.
  std::optional<double> SquaredNorm() const { return Ratio(squared_norm_sum_, windows_); }
  // tr(Sigma) / |G|^2: how many pushes would have to be averaged for their noise to be no larger than the
  // gradient. Absent also where the squared norm is not above 0.
  std::optional<double> NoiseScale() const { return Ratio(variance_sum_, squared_norm_sum_); }

  GradientNoiseState Save() const;
  // Replaces all. INVALID_ARGUMENT: a count is negative, the window under way is whole already, or its sum
  // has another size than a sketch (than 0, if the window has no sketch).
  absl::Status Load(const GradientNoiseState& state);

 private:
  static std::optional<double> Ratio(double numerator, double denominator) {
    return denominator > 0 ? std::optional(numerator / denominator) : std::nullopt;
  }

  int64_t windows_ = 0;
  double variance_sum_ = 0;
  double squared_norm_sum_ = 0;
  int window_sketches_ = 0;
  double window_squares_ = 0;
  std::array<double, kGradientSketchSize> window_sum_ = {};
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_GRADIENT_NOISE_H_
