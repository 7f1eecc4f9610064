// Where on the data's way: between replica and shard, and in the network; float32 in half its bytes.
#ifndef DOWNPOUR_COMMON_TENSOR_BFLOAT16_H_
#define DOWNPOUR_COMMON_TENSOR_BFLOAT16_H_

#include <bit>
#include <cstdint>

#include "absl/types/span.h"

namespace downpour {

// The upper 16 bits of the result are `value` rounded to bfloat16, to nearest, ties to even. NaN stays NaN,
// infinity stays infinity, and a value above bfloat16's largest becomes infinity.
inline uint32_t RoundToUpperHalf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const bool nan = (bits & 0x7fffffff) > 0x7f800000;
  return nan ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
}

inline uint16_t ToBfloat16(float value) { return static_cast<uint16_t>(RoundToUpperHalf(value) >> 16); }
inline float FromBfloat16(uint16_t value) { return std::bit_cast<float>(uint32_t{value} << 16); }

// The same for whole spans, which must be of equal size. Thread-safe.
void ToBfloat16(absl::Span<const float> values, absl::Span<uint16_t> rounded);
void FromBfloat16(absl::Span<const uint16_t> values, absl::Span<float> widened);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TENSOR_BFLOAT16_H_
