// Where on the data's way: from frames as read to the frames the network sees.
#include "worker/data/normalization.h"

#include <algorithm>
#include <cmath>

#include "common/check.h"

namespace downpour {
namespace {

constexpr double kLeastStddev = 1e-5;  // a constant dimension stays near 0

}  // namespace

Normalization ComputeNormalization(absl::Span<const float> features, int32_t feature_dim) {
  DOWNPOUR_CHECK(feature_dim > 0 && !features.empty() && features.size() % feature_dim == 0);
  const size_t dim = feature_dim;
  const double frames = static_cast<double>(features.size() / dim);
  std::vector<double> mean(dim);
  for (size_t i = 0; i < features.size(); i += dim) {
    for (size_t d = 0; d < dim; ++d) mean[d] += features[i + d];
  }
  for (double& value : mean) value /= frames;
  std::vector<double> squared_deviations(dim);
  for (size_t i = 0; i < features.size(); i += dim) {
    for (size_t d = 0; d < dim; ++d) {
      const double deviation = features[i + d] - mean[d];
      squared_deviations[d] += deviation * deviation;
    }
  }
  Normalization normalization;
  normalization.mean.assign(mean.begin(), mean.end());
  for (const double squares : squared_deviations) {
    normalization.stddev.push_back(static_cast<float>(std::max(kLeastStddev, std::sqrt(squares / frames))));
  }
  return normalization;
}

void Normalize(const Normalization& normalization, absl::Span<float> features) {
  const size_t dim = normalization.mean.size();
  DOWNPOUR_CHECK(dim > 0 && normalization.stddev.size() == dim && features.size() % dim == 0);
  for (size_t i = 0; i < features.size(); i += dim) {
    for (size_t d = 0; d < dim; ++d) {
      features[i + d] = (features[i + d] - normalization.mean[d]) / normalization.stddev[d];
    }
  }
}

}  // namespace downpour
