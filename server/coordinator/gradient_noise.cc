// Where on the data's way: from the replicas' gradient sketches to the log; sums over windows of sketches.
#include "server/coordinator/gradient_noise.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace downpour {

void GradientNoise::Add(absl::Span<const float> sketch) {
  DOWNPOUR_CHECK(sketch.size() == window_sum_.size());
  for (size_t i = 0; i < sketch.size(); ++i) {
    window_sum_[i] += sketch[i];
    window_squares_ += static_cast<double>(sketch[i]) * sketch[i];
  }
  if (++window_sketches_ < kWindow) return;
  double mean_squared = 0;
  for (const double sum : window_sum_) mean_squared += (sum / kWindow) * (sum / kWindow);
  const double variance = (window_squares_ - kWindow * mean_squared) / (kWindow - 1);
  variance_sum_ += variance;
  squared_norm_sum_ += mean_squared - variance / kWindow;
  ++windows_;
  window_sketches_ = 0;
  window_squares_ = 0;
  window_sum_.fill(0);
}

void GradientNoise::Merge(const GradientNoise& later) {
  const GradientNoise earlier = *this;
  *this = later;
  windows_ += earlier.windows_;
  variance_sum_ += earlier.variance_sum_;
  squared_norm_sum_ += earlier.squared_norm_sum_;
}

GradientNoiseState GradientNoise::Save() const {
  GradientNoiseState state;
  state.set_windows(windows_);
  state.set_variance_sum(variance_sum_);
  state.set_squared_norm_sum(squared_norm_sum_);
  state.set_window_sketches(window_sketches_);
  state.set_window_squares(window_squares_);
  if (window_sketches_ > 0) state.mutable_window_sum()->Add(window_sum_.begin(), window_sum_.end());
  return state;
}

absl::Status GradientNoise::Load(const GradientNoiseState& state) {
  const int wanted = state.window_sketches() > 0 ? kGradientSketchSize : 0;
  if (state.windows() < 0 || state.window_sketches() < 0 || state.window_sketches() >= kWindow ||
      state.window_sum_size() != wanted) {
    return absl::InvalidArgumentError(absl::StrCat(
        "gradient noise: ", state.windows(), " windows and ", state.window_sketches(),
        " sketches whose sum has ", state.window_sum_size(), " elements, want counts from 0, fewer than ",
        kWindow, " sketches and a sum of ", wanted));
  }
  *this = GradientNoise();
  windows_ = state.windows();
  variance_sum_ = state.variance_sum();
  squared_norm_sum_ = state.squared_norm_sum();
  window_sketches_ = state.window_sketches();
  window_squares_ = state.window_squares();
  std::copy(state.window_sum().begin(), state.window_sum().end(), window_sum_.begin());
  return absl::OkStatus();
}

}  // namespace downpour
