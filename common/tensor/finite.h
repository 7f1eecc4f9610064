// Where on the data's way: before frames become inputs, before gradients leave, and at the shard's door; finds NaN and
// infinity.
#ifndef DOWNPOUR_COMMON_TENSOR_FINITE_H_
#define DOWNPOUR_COMMON_TENSOR_FINITE_H_

#include <cstddef>

#include "common/tensor/tensor_view.h"

namespace downpour {

// Index of the first NaN or infinity, values.size() if there is none.
size_t FindNotFinite(TensorView values);

inline bool AllFinite(TensorView values) { return FindNotFinite(values) == values.size(); }

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TENSOR_FINITE_H_
