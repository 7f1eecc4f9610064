// Where on the data's way: out of the network; values are rounded, or copied past the caches.
#include "worker/network/store_gradient.h"

#include "common/tensor/bfloat16.h"
#include "common/tensor/copy_past_caches.h"
#include "common/tensor/finite.h"

namespace downpour {

bool StoreGradient(TensorView values, MutableTensorView place) {
  if (values.is_bfloat16() != place.is_bfloat16()) {
    ToBfloat16(values.floats(), place.bfloats());
    return AllFinite(TensorView(place.bfloats()));
  }
  CopyPastCaches(values.bytes(), place.bytes().data());
  return AllFinite(values);
}

}  // namespace downpour
