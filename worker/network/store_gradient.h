// Where on the data's way: out of the network; values of a gradient to their place in it.
#ifndef DOWNPOUR_WORKER_NETWORK_STORE_GRADIENT_H_
#define DOWNPOUR_WORKER_NETWORK_STORE_GRADIENT_H_

#include "common/tensor/tensor_view.h"

namespace downpour {

// Stores `values`, which a cache holds, at `place`, which is as large and larger than the caches: rounded where only `place`
// is bfloat16. Whether all are finite, as stored.
bool StoreGradient(TensorView values, MutableTensorView place);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_STORE_GRADIENT_H_
