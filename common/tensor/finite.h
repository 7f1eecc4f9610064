// Where on the data's way: frames that are read, gradients that are sent and taken; finds NaN and infinity.
#ifndef DOWNPOUR_COMMON_TENSOR_FINITE_H_
#define DOWNPOUR_COMMON_TENSOR_FINITE_H_

#include <cstddef>

#include "absl/types/span.h"
#include "common/tensor/tensor_view.h"

namespace downpour {

// The index of the first NaN or infinity; values.size() if there is none. Thread-safe.
size_t FindNotFinite(TensorView values);
inline bool AllFinite(TensorView values) { return FindNotFinite(values) == values.size(); }
// The largest |value|, 0 if there is none, and a NaN if there is one.
float LargestMagnitude(absl::Span<const float> values);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TENSOR_FINITE_H_
