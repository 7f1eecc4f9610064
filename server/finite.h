// Where on the data's way: at the shard's door; finds NaN and infinity in a gradient chunk.
#ifndef DOWNPOUR_SERVER_FINITE_H_
#define DOWNPOUR_SERVER_FINITE_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace downpour {

// Index of the first NaN or infinity, values.size() if there is none.
size_t FindNotFinite(absl::Span<const float> values);
// The same of bfloat16.
size_t FindNotFinite(absl::Span<const uint16_t> values);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_FINITE_H_
