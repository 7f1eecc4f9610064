// Where on the data's way: before frames become inputs, before gradients leave, and at the shard's door; finds NaN and
// infinity.
#ifndef DOWNPOUR_COMMON_FINITE_H_
#define DOWNPOUR_COMMON_FINITE_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace downpour {

// Index of the first NaN or infinity, values.size() if there is none.
size_t FindNotFinite(absl::Span<const float> values);
// The same of bfloat16.
size_t FindNotFinite(absl::Span<const uint16_t> values);

inline bool AllFinite(absl::Span<const float> values) { return FindNotFinite(values) == values.size(); }
inline bool AllFinite(absl::Span<const uint16_t> values) { return FindNotFinite(values) == values.size(); }

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_FINITE_H_
