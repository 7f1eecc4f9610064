// Where on the data's way: from speech to frames of log-mel energies.
#ifndef DOWNPOUR_DEPLOY_CORPUS_FILTERBANK_H_
#define DOWNPOUR_DEPLOY_CORPUS_FILTERBANK_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"

namespace downpour {

// The options of Kaldi's compute-fbank-feats, with its defaults except for the number of bins, and without
// dither, so that the same speech gives the same frames.
struct FilterbankOptions {
  enum class Window {
    kPovey,    // (0.5 - 0.5 cos(2 pi i / (length - 1)))^0.85: like Hamming's, but 0 at the edges
    kHamming,  // HTK's
  };

  int sample_rate_hz = 16000;
  int frame_length_ms = 25;      // two to three pitch periods
  int frame_shift_ms = 10;       // as the aligner's: one label a frame
  int bins = 40;                 // as in the paper (Kaldi: 23)
  double low_frequency_hz = 20;  // below it is hum, no speech; the upper end is half the sample rate
  bool remove_dc = true;         // a microphone's offset would leak into the low bins
  double preemphasis = 0.97;     // lifts the high frequencies, where speech is weak
  Window window = Window::kPovey;
  double energy_floor = 1.1920928955078125e-07;  // float's epsilon: keeps log finite in digital silence
  // As in HTK, by mistake: if low_frequency_hz > 0, the lowest bin ignores its first line of the spectrum.
  bool htk_first_line = false;
};

// Per frame, with the samples x as they are in [-32768, 32767]:
//   x[i] -= mean(x); x[i] -= preemphasis x[i-1], and x[0] -= preemphasis x[0]; x[i] *= window[i]
//   power spectrum |FFT(x)|^2 of the next power of two (512 for 25 ms at 16 kHz), without the line at half
//   the sample rate
//   bins + 2 points, evenly spaced in mel(f) = 1127 ln(1 + f / 700): the edges of triangles, linear in mel
//   log(max(sum of triangle times power, energy_floor))
// Not thread-safe, because of its buffers.
class Filterbank {
 public:
  explicit Filterbank(const FilterbankOptions& options);
  ~Filterbank();

  // How many frames lie wholly in the samples (Kaldi's --snip-edges): 1 + (samples - length) / shift, or 0.
  int64_t FrameCount(int64_t samples) const;
  // Returns [FrameCount(samples.size()), bins], row-major.
  std::vector<float> Compute(absl::Span<const int16_t> samples);

 private:
  struct Triangle {
    int first_line = 0;
    std::vector<double> weights;
  };
  struct Transform;

  void ComputeFrame(const int16_t* samples, float* frame);

  FilterbankOptions options_;
  int64_t length_, shift_, padded_;  // samples; padded_ is a power of two
  std::vector<double> window_;       // [length_]
  std::vector<Triangle> triangles_;  // [bins]
  std::vector<double> power_;        // [padded_ / 2]
  std::unique_ptr<Transform> transform_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_FILTERBANK_H_
