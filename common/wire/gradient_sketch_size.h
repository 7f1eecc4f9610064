// Where on the data's way: sketches of gradients, from the replicas that make them to the coordinator.
#ifndef DOWNPOUR_COMMON_WIRE_GRADIENT_SKETCH_SIZE_H_
#define DOWNPOUR_COMMON_WIRE_GRADIENT_SKETCH_SIZE_H_

namespace downpour {

// Elements of the sketch of a gradient (worker/replica/gradient_sketch.h) that a report carries.
inline constexpr int kGradientSketchSize = 256;

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_GRADIENT_SKETCH_SIZE_H_
