// Where on the data's way: after the gradient, before the push; what of it travels now, and what later.
#include "worker/gradient_compressor.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "common/bfloat16.h"
#include "common/check.h"
#include "common/gradient_packing.h"

namespace downpour {
namespace {

// Keeps sums of gradients that diverge finite, and their roundings to bfloat16.
constexpr float kMostMagnitude = 0x1p126f;
constexpr int kLowestExponent = -126;

float Rounded(float value) { return FromBfloat16(ToBfloat16(value)); }

void QuantizeToEightBits(absl::Span<float> block) {
  float largest = 0;
  for (const float value : block) largest = std::max(largest, std::abs(value));
  if (largest == 0) return;
  // largest / 2^exponent lies in [64, 128).
  const int exponent = std::max(std::ilogb(largest) - 6, kLowestExponent);
  const float step = std::ldexp(1.0f, exponent);
  const float inverse = std::ldexp(1.0f, -exponent);
  for (float& value : block) {
    const float multiple = std::nearbyint(std::clamp(value * inverse, -127.0f, 127.0f));
    value = multiple * step + 0.0f;  // no -0, which eight bits do not tell from 0
  }
}

void QuantizeToOneBit(absl::Span<float> block) {
  double sums[2] = {};
  int64_t counts[2] = {};
  for (const float value : block) {
    const int negative = value < 0 ? 1 : 0;
    sums[negative] += value;
    ++counts[negative];
  }
  float means[2];
  for (int i = 0; i < 2; ++i)
    means[i] = Rounded(static_cast<float>(sums[i] / static_cast<double>(std::max<int64_t>(counts[i], 1))));
  for (float& value : block) value = means[value < 0 ? 1 : 0];
}

// The `share` of elements of largest bfloat16 magnitude; of those that tie for the last places, the first.
void KeepLargest(float share, absl::Span<float> gradient) {
  std::vector<int64_t> elements_of_magnitude(0x8000);
  for (const float value : gradient) ++elements_of_magnitude[ToBfloat16(value) & 0x7fff];
  int64_t places = std::max<int64_t>(1, std::llround(share * static_cast<double>(gradient.size())));
  uint16_t threshold = 0x7fff;
  while (threshold > 0 && elements_of_magnitude[threshold] < places)
    places -= elements_of_magnitude[threshold--];
  for (float& value : gradient) {
    const uint16_t rounded = ToBfloat16(value);
    const uint16_t magnitude = rounded & 0x7fff;
    const bool kept = magnitude > threshold || (magnitude == threshold && places-- > 0);
    value = kept ? FromBfloat16(rounded) : 0;
  }
}

}  // namespace

void GradientCompressor::Compress(absl::Span<float> gradient) {
  if (compression_ == ClusterDescription::NONE) return;
  residual_.resize(gradient.size());
  DOWNPOUR_CHECK(residual_.size() == gradient.size());
  for (size_t i = 0; i < gradient.size(); ++i)
    residual_[i] = gradient[i] = std::clamp(gradient[i] + residual_[i], -kMostMagnitude, kMostMagnitude);
  if (compression_ == ClusterDescription::TOP_K) {
    KeepLargest(top_k_share_, gradient);
  } else {
    const auto size = static_cast<int64_t>(gradient.size());
    for (int64_t begin = 0, end; begin < size; begin = end) {
      end = GradientBlockEnd(begin, size);
      const absl::Span<float> block = gradient.subspan(begin, end - begin);
      compression_ == ClusterDescription::ONE_BIT ? QuantizeToOneBit(block) : QuantizeToEightBits(block);
    }
  }
  for (size_t i = 0; i < gradient.size(); ++i) residual_[i] -= gradient[i];
}

double PushedBits(const ClusterDescription& cluster) {
  constexpr double kBlock = kGradientBlockElements;
  switch (cluster.gradient_compression()) {
    case ClusterDescription::EIGHT_BIT:
      return 8 + 16 / kBlock;
    case ClusterDescription::ONE_BIT:
      return 1 + 40 / kBlock;
    case ClusterDescription::TOP_K:
      return 32 * cluster.top_k_share() + 24 / kBlock;
    default:
      return cluster.wire() == ClusterDescription::BFLOAT16 ? 16 : 32;
  }
}

}  // namespace downpour
