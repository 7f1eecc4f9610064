// Where on the data's way: out of the network; each part of a gradient is stored once it is computed.
#ifndef DOWNPOUR_WORKER_NETWORK_STORE_GRADIENT_H_
#define DOWNPOUR_WORKER_NETWORK_STORE_GRADIENT_H_

#include "common/tensor/tensor_view.h"

namespace downpour {

// Stores `values`, which are in a cache, at `place`, a part of equal size of a gradient that is larger than
// the caches. Rounds them if only `place` is bfloat16; It is a bug if only `values` is. Returns whether all
// are finite as stored. Thread-safe.
bool StoreGradient(TensorView values, MutableTensorView place);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_STORE_GRADIENT_H_
