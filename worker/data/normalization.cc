// Where on the data's way: between reading the data and cutting windows; computes in double.
#include "worker/data/normalization.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/check.h"

namespace downpour {
namespace {

constexpr double kLeastStddev = 1e-5;  // a constant dimension stays near 0

template <typename Visit>
void ForEachFrame(absl::Span<const Utterance> utterances, size_t dim, Visit visit) {
  std::vector<float> frame(dim);  // aligned, which a mapped one need not be
  const size_t bytes = dim * sizeof(float);
  for (const Utterance& utterance : utterances) {
    for (int64_t i = 0; i < utterance.frames; ++i) {
      std::memcpy(frame.data(), utterance.features.get() + i * bytes, bytes);
      visit(frame);
    }
  }
}

}  // namespace

Normalization ComputeNormalization(absl::Span<const Utterance> utterances, int32_t feature_dim) {
  DOWNPOUR_CHECK(feature_dim > 0);
  std::vector<double> mean(feature_dim);
  int64_t count = 0;
  ForEachFrame(utterances, feature_dim, [&mean, &count](const std::vector<float>& frame) {
    for (size_t d = 0; d < frame.size(); ++d) mean[d] += frame[d];
    ++count;
  });
  DOWNPOUR_CHECK(count > 0);
  const auto frames = static_cast<double>(count);
  for (double& value : mean) value /= frames;
  std::vector<double> squared_deviations(feature_dim);
  ForEachFrame(utterances, feature_dim, [&mean, &squared_deviations](const std::vector<float>& frame) {
    for (size_t d = 0; d < frame.size(); ++d) {
      const double deviation = frame[d] - mean[d];
      squared_deviations[d] += deviation * deviation;
    }
  });
  Normalization normalization;
  normalization.mean.assign(mean.begin(), mean.end());
  for (const double squares : squared_deviations)
    normalization.stddev.push_back(static_cast<float>(std::max(kLeastStddev, std::sqrt(squares / frames))));
  return normalization;
}

void Normalize(const Normalization& normalization, absl::Span<float> features) {
  const size_t dim = normalization.mean.size();
  DOWNPOUR_CHECK(dim > 0 && normalization.stddev.size() == dim && features.size() % dim == 0);
  for (size_t i = 0; i < features.size(); i += dim) {
    for (size_t d = 0; d < dim; ++d)
      features[i + d] = (features[i + d] - normalization.mean[d]) / normalization.stddev[d];
  }
}

}  // namespace downpour
