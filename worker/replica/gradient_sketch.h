// Where on the data's way: beside the push; a gradient in a few numbers, for the measure of gradient noise.
#ifndef DOWNPOUR_WORKER_REPLICA_GRADIENT_SKETCH_H_
#define DOWNPOUR_WORKER_REPLICA_GRADIENT_SKETCH_H_

#include <vector>

#include "common/tensor/tensor_view.h"
#include "common/wire/gradient_sketch_size.h"

namespace downpour {

// A random projection onto kGradientSketchSize numbers (count sketch: Charikar, Chen, Farach-Colton 2002): elements
// get random signs and are summed by bucket. The projection is the same for every replica, and over its randomness
// the product of two sketches has the product of the two gradients as its mean, with a relative error of some
// sqrt(2 / kGradientSketchSize). So norms and variances across replicas can be told from sketches alone. Empty where a
// sum overflows: the coordinator refuses what is not finite.
std::vector<float> SketchGradient(TensorView gradient);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_GRADIENT_SKETCH_H_
