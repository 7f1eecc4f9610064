// Where on the data's way: before frames become inputs, and before gradients leave.
#ifndef DOWNPOUR_WORKER_ALL_FINITE_H_
#define DOWNPOUR_WORKER_ALL_FINITE_H_

#include <bit>
#include <cstdint>

#include "absl/types/span.h"

namespace downpour {

// Whether there is no NaN and no infinity: those have all exponent bits set. Unlike std::isfinite it
// vectorises.
inline bool AllFinite(absl::Span<const float> values) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t found = 0;
  for (const float value : values) {
    found |= static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & kExponent) == kExponent);
  }
  return found == 0;
}

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_ALL_FINITE_H_
