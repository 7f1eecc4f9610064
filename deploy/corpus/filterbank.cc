// Where on the data's way: one FFT per frame, then weighted sums of the power spectrum's lines.
#include "deploy/corpus/filterbank.h"

#include <fftw3.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "common/check.h"

namespace downpour {
namespace {

double Mel(double frequency_hz) { return 1127 * std::log(1 + frequency_hz / 700); }

std::vector<double> MakeWindow(FilterbankOptions::Window kind, int64_t length) {
  std::vector<double> window(length);
  for (int64_t i = 0; i < length; ++i) {
    const double cosine =
        std::cos(2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(length - 1));
    window[i] =
        kind == FilterbankOptions::Window::kPovey ? std::pow(0.5 - 0.5 * cosine, 0.85) : 0.54 - 0.46 * cosine;
  }
  return window;
}

}  // namespace

// Replaces real samples by the lines of their spectrum.
struct Filterbank::Transform {
  explicit Transform(int64_t size)
      : samples(fftw_alloc_real(size + 2)),
        lines(reinterpret_cast<fftw_complex*>(samples)),
        // Estimated: a measured plan may differ from run to run, and so may its bits.
        plan(fftw_plan_dft_r2c_1d(static_cast<int>(size), samples, lines, FFTW_ESTIMATE)) {}
  ~Transform() {
    fftw_destroy_plan(plan);
    fftw_free(samples);
  }

  double* samples;
  fftw_complex* lines;
  fftw_plan plan;
};

Filterbank::Filterbank(const FilterbankOptions& options)
    : options_(options),
      length_(static_cast<int64_t>(options.sample_rate_hz) * options.frame_length_ms / 1000),
      shift_(static_cast<int64_t>(options.sample_rate_hz) * options.frame_shift_ms / 1000),
      padded_(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(length_)))),
      window_(MakeWindow(options.window, length_)),
      triangles_(options.bins),
      power_(padded_ / 2),
      transform_(std::make_unique<Transform>(padded_)) {
  DOWNPOUR_CHECK(length_ > 1 && shift_ > 0 && options.bins > 0);
  const double low = Mel(options.low_frequency_hz);
  const double spacing = (Mel(options.sample_rate_hz / 2.0) - low) / (options.bins + 1);
  for (int bin = 0; bin < options.bins; ++bin) {
    const double left = low + bin * spacing, centre = left + spacing, right = centre + spacing;
    Triangle& triangle = triangles_[bin];
    for (int line = 0; line < padded_ / 2; ++line) {
      const double mel =
          Mel(static_cast<double>(line) * options.sample_rate_hz / static_cast<double>(padded_));
      if (mel <= left || mel >= right) continue;
      if (triangle.weights.empty()) triangle.first_line = line;
      triangle.weights.push_back((mel <= centre ? mel - left : right - mel) / spacing);
    }
  }
  if (options.htk_first_line && options.low_frequency_hz > 0 && !triangles_[0].weights.empty()) {
    triangles_[0].weights[0] = 0;
  }
}

Filterbank::~Filterbank() = default;

int64_t Filterbank::FrameCount(int64_t samples) const {
  return samples < length_ ? 0 : 1 + (samples - length_) / shift_;
}

std::vector<float> Filterbank::Compute(absl::Span<const int16_t> samples) {
  const int64_t frames = FrameCount(static_cast<int64_t>(samples.size()));
  std::vector<float> energies(frames * options_.bins);
  for (int64_t frame = 0; frame < frames; ++frame) {
    ComputeFrame(samples.data() + frame * shift_, energies.data() + frame * options_.bins);
  }
  return energies;
}

void Filterbank::ComputeFrame(const int16_t* samples, float* frame) {
  double* x = transform_->samples;
  double mean = 0;
  for (int64_t i = 0; i < length_; ++i) mean += samples[i];
  mean = options_.remove_dc ? mean / static_cast<double>(length_) : 0;
  double previous = samples[0] - mean;
  for (int64_t i = 0; i < length_; ++i) {
    const double now = samples[i] - mean;
    x[i] = (now - options_.preemphasis * previous) * window_[i];
    previous = now;
  }
  std::fill(x + length_, x + padded_, 0.0);
  fftw_execute(transform_->plan);
  for (int64_t i = 0; i < padded_ / 2; ++i) {
    const double* line = transform_->lines[i];
    power_[i] = line[0] * line[0] + line[1] * line[1];
  }
  for (int bin = 0; bin < options_.bins; ++bin) {
    const Triangle& triangle = triangles_[bin];
    double energy = 0;
    for (size_t i = 0; i < triangle.weights.size(); ++i)
      energy += triangle.weights[i] * power_[triangle.first_line + i];
    frame[bin] = static_cast<float>(std::log(std::max(energy, options_.energy_floor)));
  }
}

}  // namespace downpour
