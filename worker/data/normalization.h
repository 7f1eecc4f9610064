// Where on the data's way: from frames as read to frames with mean 0 and variance 1 in each dimension.
#ifndef DOWNPOUR_WORKER_DATA_NORMALIZATION_H_
#define DOWNPOUR_WORKER_DATA_NORMALIZATION_H_

#include "absl/types/span.h"
#include "worker/data/utterance.h"

namespace downpour {

// Per feature dimension, over all frames of a part of the data; the variance is the population's.
struct FeatureStatistics {
  int64_t frames = 0;
  std::vector<double> mean;
  std::vector<double> stddev;
};

// Of all frames of `utterances`, at least one, in their order.
FeatureStatistics ComputeStatistics(absl::Span<const Utterance> utterances, int32_t feature_dim);

// Per feature dimension, over the training part's frames.
struct Normalization {
  std::vector<float> mean;
  std::vector<float> stddev;  // above 0
};

// The standard deviation of a dimension that is constant over the training part: as the network cannot have
// learned anything from it, whatever another part has there becomes 0, as it was in training.
inline constexpr float kConstantStddev = 1e20F;

Normalization NormalizationOf(const FeatureStatistics& training);

// In place: (x - mean) / stddev. `features`: [frames, normalization.mean.size()], row-major.
void Normalize(const Normalization& normalization, absl::Span<float> features);

// What to warn of, a line each, with the dimensions and the numbers: that some are constant in training; that
// those of another part are unlike training's, as of another front end, another scale or a dead channel. Of
// a part with few frames, nothing.
std::vector<std::string> ConstantDimensions(const FeatureStatistics& training, const std::string& directory);
std::vector<std::string> UnlikeTraining(const FeatureStatistics& part, const Normalization& training,
                                        const std::string& directory);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_NORMALIZATION_H_
