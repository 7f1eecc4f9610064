// Where on the data's way: beside it; how much the gradients of pushes differ from one another.
#ifndef DOWNPOUR_SERVER_COORDINATOR_GRADIENT_NOISE_H_
#define DOWNPOUR_SERVER_COORDINATOR_GRADIENT_NOISE_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/wire/push.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

// The simple noise scale of McCandlish et al. 2018 (appendix A), from sketches of pushes (worker/replica/gradient_sketch.h):
// of each window of kWindow sketches that follow one another, whoever made their pushes, the unbiased variance and the
// squared norm of the mean, less what the variance adds to it; averaged over windows. A longer window would tell
// the norm better, and take more of the mean gradient's own movement for noise. A value; not thread-safe.
class GradientNoise {
 public:
  static constexpr int kWindow = 32;

  // `sketch` has kGradientSketchSize elements.
  void Add(absl::Span<const float> sketch);
  // `later` came after this one; of the two windows under way the later is kept.
  void Merge(const GradientNoise& later);

  // tr(Sigma): the expected squared distance of a push's gradient from the mean gradient. Absent before a whole
  // window.
  std::optional<double> Variance() const;
  // |G|^2 of the mean gradient; may be negative where it drowns in the variance. Absent likewise.
  std::optional<double> SquaredNorm() const;
  // tr(Sigma) / |G|^2, in pushes: as many would have to be averaged for the noise to be no larger than the
  // gradient. Absent too where the squared norm is not above 0.
  std::optional<double> NoiseScale() const;

  GradientNoiseState Save() const;
  // Replaces all. INVALID_ARGUMENT: a count that is negative, a window of no or kWindow sketches with a sum, or a
  // sum of another size than a sketch.
  absl::Status Load(const GradientNoiseState& state);

 private:
  int64_t windows_ = 0;
  double variance_sum_ = 0;
  double squared_norm_sum_ = 0;
  int window_sketches_ = 0;
  double window_squares_ = 0;
  std::array<double, kGradientSketchSize> window_sum_ = {};
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_GRADIENT_NOISE_H_
