// Where on the data's way: from frames as read to frames with mean 0 and variance 1 in each dimension.
#ifndef DOWNPOUR_WORKER_DATA_NORMALIZATION_H_
#define DOWNPOUR_WORKER_DATA_NORMALIZATION_H_

#include "absl/types/span.h"
#include "worker/data/utterance.h"

namespace downpour {

// Per feature dimension, over the training part's frames.
struct Normalization {
  std::vector<float> mean;
  std::vector<float> stddev;  // at least 1e-5 each
};

// Of all frames of `utterances`, at least one, in their order, in double; the variance is the population's.
Normalization ComputeNormalization(absl::Span<const Utterance> utterances, int32_t feature_dim);

// In place: (x - mean) / stddev. `features`: [frames, normalization.mean.size()], row-major.
void Normalize(const Normalization& normalization, absl::Span<float> features);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_NORMALIZATION_H_
