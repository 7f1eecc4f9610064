// Where on the data's way: from a replica's gradient to a short sketch of it, for the coordinator.
#ifndef DOWNPOUR_WORKER_REPLICA_GRADIENT_SKETCH_H_
#define DOWNPOUR_WORKER_REPLICA_GRADIENT_SKETCH_H_

#include <vector>

#include "common/tensor/tensor_view.h"
#include "common/wire/gradient_sketch_size.h"

namespace downpour {

// Projects `gradient` at random onto kGradientSketchSize numbers (count sketch: Charikar, Chen, Farach-Colton
// 2002): every element gets a random sign and is added to one of that many buckets. All replicas use the same
// projection. The inner product of two sketches estimates that of the two gradients without bias, with a
// relative error of about sqrt(2 / kGradientSketchSize), so the coordinator learns norms and variances across
// replicas from sketches alone. Empty where a sum overflows, which the coordinator would refuse.
std::vector<float> SketchGradient(TensorView gradient);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_GRADIENT_SKETCH_H_
