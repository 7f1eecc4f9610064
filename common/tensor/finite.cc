// Where on the data's way: on both sides of the wire; an integer comparison a value, in several lanes.
#include "common/tensor/finite.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/tensor/simd_clones.h"

namespace downpour {
namespace {

// Magnitudes are ordered as their bits are: integers compare in every vector unit alike, and no NaN is lost.
DOWNPOUR_SIMD_CLONES
uint32_t LargestMagnitudeBits(const float* values, size_t n) {
  uint32_t largest = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(values[i]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

DOWNPOUR_SIMD_CLONES
uint16_t LargestMagnitudeBits(const uint16_t* values, size_t n) {
  uint16_t largest = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint16_t magnitude = values[i] & 0x7fffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

size_t FindIn(absl::Span<const float> values) {
  if (std::isfinite(LargestMagnitude(values))) return values.size();
  const auto first =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  return first - values.begin();
}

size_t FindIn(absl::Span<const uint16_t> values) {
  constexpr uint16_t kInfinityBits = 0x7f80u;  // all exponent bits; a NaN has bits of the significand besides
  if (LargestMagnitudeBits(values.data(), values.size()) < kInfinityBits) return values.size();
  const auto first = std::find_if(values.begin(), values.end(),
                                  [](uint16_t value) { return (value & 0x7fffu) >= kInfinityBits; });
  return first - values.begin();
}

}  // namespace

float LargestMagnitude(absl::Span<const float> values) {
  return std::bit_cast<float>(LargestMagnitudeBits(values.data(), values.size()));
}

size_t FindNotFinite(TensorView values) {
  return values.is_bfloat16() ? FindIn(values.bfloats()) : FindIn(values.floats());
}

}  // namespace downpour
