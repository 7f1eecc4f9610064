// Where on the data's way: between reading the data and cutting windows; computes in double.
#include "worker/data/normalization.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"

namespace downpour {
namespace {

// A spread of so small a part of the mean is rounding and dither.
constexpr double kConstantShare = 1e-6;
// The statistics of fewer frames say little of a front end.
constexpr int64_t kLeastFrames = 50;
// Speakers and rooms shift and stretch features by less than this; other units and dead channels by more.
constexpr double kMostShift = 3;  // in standard deviations of the training part
constexpr double kMostStretch = 10;

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

bool IsConstant(double mean, double stddev) { return stddev <= kConstantShare * std::abs(mean); }

bool IsUnlike(double mean, double stddev, double training_mean, double training_stddev) {
  const double shift = std::abs(mean - training_mean);
  if (training_stddev >= kConstantStddev)
    return std::max(shift, stddev) > 10 * kConstantShare * std::abs(training_mean);
  return shift > kMostShift * training_stddev || stddev > kMostStretch * training_stddev ||
         stddev * kMostStretch < training_stddev;
}

// "feature dimension 3" or "feature dimensions 3, 4, 5 and 6 more".
std::string Dimensions(absl::Span<const size_t> dimensions) {
  constexpr size_t kMostNamed = 8;
  const absl::Span<const size_t> named = dimensions.subspan(0, kMostNamed);
  std::string text =
      absl::StrCat("feature dimension", dimensions.size() > 1 ? "s " : " ", absl::StrJoin(named, ", "));
  if (named.size() < dimensions.size())
    absl::StrAppend(&text, " and ", dimensions.size() - named.size(), " more");
  return text;
}

}  // namespace

FeatureStatistics ComputeStatistics(absl::Span<const Utterance> utterances, int32_t feature_dim) {
  DOWNPOUR_CHECK(feature_dim > 0);
  FeatureStatistics statistics;
  std::vector<double>& mean = statistics.mean;
  mean.resize(feature_dim);
  ForEachFrame(utterances, feature_dim, [&mean, &statistics](const std::vector<float>& frame) {
    for (size_t d = 0; d < frame.size(); ++d) mean[d] += frame[d];
    ++statistics.frames;
  });
  DOWNPOUR_CHECK(statistics.frames > 0);
  const auto frames = static_cast<double>(statistics.frames);
  for (double& value : mean) value /= frames;
  std::vector<double>& stddev = statistics.stddev;
  stddev.resize(feature_dim);
  ForEachFrame(utterances, feature_dim, [&mean, &stddev](const std::vector<float>& frame) {
    for (size_t d = 0; d < frame.size(); ++d) {
      const double deviation = frame[d] - mean[d];
      stddev[d] += deviation * deviation;
    }
  });
  for (double& value : stddev) value = std::sqrt(value / frames);
  return statistics;
}

Normalization NormalizationOf(const FeatureStatistics& training) {
  Normalization normalization;
  normalization.mean.assign(training.mean.begin(), training.mean.end());
  for (size_t d = 0; d < training.mean.size(); ++d) {
    const double stddev =
        IsConstant(training.mean[d], training.stddev[d]) ? kConstantStddev : training.stddev[d];
    // Of features near float's largest, the float must not become infinite.
    normalization.stddev.push_back(static_cast<float>(
        std::clamp<double>(stddev, std::numeric_limits<float>::min(), std::numeric_limits<float>::max())));
  }
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

std::vector<std::string> ConstantDimensions(const FeatureStatistics& training, const std::string& directory) {
  std::vector<size_t> constant;
  for (size_t d = 0; d < training.mean.size(); ++d)
    if (IsConstant(training.mean[d], training.stddev[d])) constant.push_back(d);
  if (constant.empty() || training.frames < kLeastFrames) return {};
  const size_t d = constant.front();
  return {absl::StrCat(directory, ": constant, so that nothing is learned from it: ", Dimensions(constant),
                       " of ", training.mean.size(), ", which counts as 0 everywhere; over ", training.frames,
                       " training frames, ", d, " has mean ", training.mean[d], " and standard deviation ",
                       training.stddev[d])};
}

std::vector<std::string> UnlikeTraining(const FeatureStatistics& part, const Normalization& training,
                                        const std::string& directory) {
  std::vector<size_t> unlike;
  for (size_t d = 0; d < part.mean.size(); ++d) {
    if (IsUnlike(part.mean[d], part.stddev[d], training.mean[d], training.stddev[d])) unlike.push_back(d);
  }
  if (unlike.empty() || part.frames < kLeastFrames) return {};
  const size_t d = unlike.front();
  const bool constant = training.stddev[d] >= kConstantStddev;
  return {absl::StrCat(
      directory, ": unlike training's (another front end or scale, a dead channel?): ", Dimensions(unlike),
      " of ", part.mean.size(), "; over ", part.frames, " frames, ", d, " has mean ", part.mean[d],
      " and standard deviation ", part.stddev[d], ", in training mean ", training.mean[d],
      constant ? " throughout" : absl::StrCat(" and ", training.stddev[d]))};
}

}  // namespace downpour
