// Where on the data's way: on the wire; a compressed gradient in few bytes.
#ifndef DOWNPOUR_COMMON_WIRE_GRADIENT_PACKING_H_
#define DOWNPOUR_COMMON_WIRE_GRADIENT_PACKING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace downpour {

// Blocks begin at keys that are multiples of this, so that worker/replica/gradient_compressor.h and the wire
// cut a gradient alike, wherever shards and chunks begin. A chunk's first and last block may be shorter.
inline constexpr int64_t kGradientBlockElements = 512;

// The end of the block that `key` is in, in a vector that ends at `end`.
inline int64_t GradientBlockEnd(int64_t key, int64_t end) {
  const int64_t block_end = (key / kGradientBlockElements + 1) * kGradientBlockElements;
  return block_end < end ? block_end : end;
}

// Packs the bfloat16 elements of keys [begin, begin + values.size()) without loss: their number as uint32,
// then each block of N elements in the shortest of these forms that can hold it. The first byte is the number
// in brackets; all is little-endian.
//   [0] N bfloat16                                          any elements
//   [1] bfloat16 a, b; ceil(N / 8) bytes, lowest bit first  element i is a where bit i is 0, else b
//   [2] byte exponent + 127; N int8                         multiples, -127 to 127, of 2^exponent; none is -0
//   [3] uint16 n; n uint16 offsets, ascending; n bfloat16   n elements; all others are +0
std::string PackGradient(int64_t begin, absl::Span<const uint16_t> values);

// Unpacks what PackGradient() made of the keys from `begin` on, and returns the elements, which are in
// `buffer`. Other bytes do no harm. INVALID_ARGUMENT, saying what was seen and wanted: the bytes are
// malformed, of keys that cannot exist, or of more elements than `buffer` has.
absl::StatusOr<absl::Span<const uint16_t>> UnpackGradient(int64_t begin, absl::string_view packed,
                                                          absl::Span<uint16_t> buffer);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_GRADIENT_PACKING_H_
