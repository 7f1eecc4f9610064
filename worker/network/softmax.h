// Where on the data's way: inside the network; from the last layer's scores to loss and first gradient.
#ifndef DOWNPOUR_WORKER_NETWORK_SOFTMAX_H_
#define DOWNPOUR_WORKER_NETWORK_SOFTMAX_H_

#include <cstdint>

#include "absl/types/span.h"

namespace downpour {

struct FrameScore {
  double loss = 0;         // -log softmax(scores)[label], nats
  int32_t prediction = 0;  // class of the highest score; in a tie the lowest class
};

// Both functions take one frame's scores [classes] and a label in [0, classes). They stay finite for any
// finite scores, since the largest is subtracted before exponentiation. NaN or infinity among the scores
// gives a loss that is not finite. Thread-safe.
FrameScore SoftmaxCrossEntropy(absl::Span<const float> scores, int32_t label);
// Also replaces the scores by scale * d loss / d scores = scale * (softmax(scores) - one_hot(label)).
FrameScore SoftmaxCrossEntropyGradient(absl::Span<float> scores, int32_t label, float scale);

// After that: `curvature` [classes] <- scale * the diagonal of d^2 loss / d scores^2, which is scale * p (1 - p)
// with p = softmax(scores), from the `gradient` that it has left.
void SoftmaxCurvature(absl::Span<const float> gradient, int32_t label, float scale,
                      absl::Span<float> curvature);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_SOFTMAX_H_
