// Where on the data's way: the wire; a compressed gradient in few bytes.
#ifndef DOWNPOUR_COMMON_WIRE_GRADIENT_PACKING_H_
#define DOWNPOUR_COMMON_WIRE_GRADIENT_PACKING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace downpour {

// Blocks begin at keys that are multiples of this, so that compressor (worker/replica/gradient_compressor.h) and wire cut a
// gradient alike, wherever shards and chunks begin. Those at either end of a chunk may be shorter.
inline constexpr int64_t kGradientBlockElements = 512;

// The end of the block that `key` is in, in a vector that ends at `end`.
inline int64_t GradientBlockEnd(int64_t key, int64_t end) {
  const int64_t block_end = (key / kGradientBlockElements + 1) * kGradientBlockElements;
  return block_end < end ? block_end : end;
}

// The bfloat16 elements of keys [begin, begin + values.size()), without loss: their number as uint32, then each block in
// the shortest of these that holds it (N elements; all little-endian):
//   [0] N bfloat16                                              any
//   [1] bfloat16 a, b; ceil(N / 8) bytes, in which bit i is 1 where element i is b    no more than two values
//   [2] exponent + 127; N int8                                  multiples, -127 to 127, of 2^exponent; no -0
//   [3] uint16 n; n uint16 offsets, ascending; n bfloat16       the others are +0
std::string PackGradient(int64_t begin, absl::Span<const uint16_t> values);

// The elements of keys from `begin` on, in the memory of `buffer`, of what PackGradient() made, or of any other bytes
// without harm. INVALID_ARGUMENT, saying what was seen and what was wanted: they are malformed, of keys that cannot be, or
// hold more elements than `buffer`.
absl::StatusOr<absl::Span<const uint16_t>> UnpackGradient(int64_t begin, absl::string_view packed,
                                                          absl::Span<uint16_t> buffer);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_GRADIENT_PACKING_H_
