// Where on the data's way: the coordinator; compares messages with what an honest sender can say.
#include "server/coordinator/request_checks.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/wire/gradient_sketch_size.h"
#include "server/coordinator/report_totals.h"

namespace downpour {
namespace {

using Features = google::protobuf::RepeatedField<float>;

// Machines round sums over the data differently, so a small difference means nothing.
absl::Status CheckClose(const char* field, const Features& seen, const Features& wanted,
                        const DataSummary& data) {
  if (seen.size() != wanted.size()) {
    return absl::FailedPreconditionError(absl::StrCat("data summary: ", field, " has ", seen.size(),
                                                      " dimensions, want ", wanted.size(),
                                                      " as in the run's data"));
  }
  for (int i = 0; i < wanted.size(); ++i) {
    const float spread = i < data.feature_stddev_size() ? data.feature_stddev(i) : 0;
    if (std::abs(seen[i] - wanted[i]) <= 1e-3f * (std::abs(wanted[i]) + spread)) continue;
    return absl::FailedPreconditionError(absl::StrCat("data summary: ", field, "[", i, "] is ", seen[i],
                                                      ", want ", wanted[i], " as in the run's data"));
  }
  return absl::OkStatus();
}

absl::Status CheckTestSetResult(const char* set, const TestSetResult& result, int64_t most_frames) {
  const struct {
    const char* field;
    int64_t seen, most;
  } counts[] = {{"frames", result.frames(), most_frames},
                {"correct", result.correct(), result.frames()},
                {"nonsilence_frames", result.nonsilence_frames(), result.frames()},
                {"nonsilence_correct", result.nonsilence_correct(),
                 std::min(result.nonsilence_frames(), result.correct())}};
  for (const auto& count : counts) {
    if (0 <= count.seen && count.seen <= count.most) continue;
    return absl::InvalidArgumentError(absl::StrCat("evaluation result: ", set, ".", count.field, " is ",
                                                   count.seen, ", want 0 to ", count.most));
  }
  if (!result.has_loss_sum() || PlausibleLoss(result.loss_sum(), result.frames())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("evaluation result: ", set, ".loss_sum is ",
                                                 result.loss_sum(), ", want what ", result.frames(),
                                                 " frames can have as cross-entropy, or none"));
}

}  // namespace

absl::Status CheckName(const char* field, const std::string& value) {
  constexpr size_t kMostBytes = 256;
  if (value.size() <= kMostBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " has ", value.size(), " bytes, want at most ", kMostBytes));
}

absl::Status CheckSketch(const google::protobuf::RepeatedField<float>& sketch) {
  if (!sketch.empty() && sketch.size() != kGradientSketchSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("gradient_sketch has ", sketch.size(), " elements, want none or ", kGradientSketchSize));
  }
  for (int i = 0; i < sketch.size(); ++i) {
    if (std::isfinite(sketch[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("gradient_sketch[", i, "] is ", sketch[i], ", want a finite number"));
  }
  return absl::OkStatus();
}

absl::Status CheckEvaluationResult(const EvaluationResult& result, int64_t max_frames) {
  if (result.updates() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("evaluation result: updates is ", result.updates(), ", want 0 or more"));
  }
  if (result.test().frames() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("evaluation result: test.frames is ", result.test().frames(), ", want at least 1"));
  }
  const int64_t most = max_frames > 0 ? max_frames : int64_t{1} << 50;
  RETURN_IF_ERROR(CheckTestSetResult("test", result.test(), most));
  return CheckTestSetResult("test_human", result.test_human(), most);
}

absl::Status CheckDataSummary(const DataSummary& data) {
  constexpr int64_t kMostFeatures = 1 << 16;
  const struct {
    const char* field;
    int64_t seen, least, most;
  } values[] = {{"input_dim", data.input_dim(), 1, 1 << 20},
                {"classes", data.classes(), 1, 1 << 20},
                {"utterances", data.utterances(), 1, int64_t{1} << 32},
                {"frames", data.frames(), 1, int64_t{1} << 40},
                {"the size of feature_mean", data.feature_mean_size(), 0, kMostFeatures},
                {"the size of feature_stddev", data.feature_stddev_size(), data.feature_mean_size(),
                 data.feature_mean_size()}};
  for (const auto& value : values) {
    if (value.least <= value.seen && value.seen <= value.most) continue;
    return absl::InvalidArgumentError(absl::StrCat("data summary: ", value.field, " is ", value.seen,
                                                   ", want ", value.least, " to ", value.most));
  }
  for (int i = 0; i < data.feature_mean_size(); ++i) {
    if (std::isfinite(data.feature_mean(i)) && std::isfinite(data.feature_stddev(i))) continue;
    return absl::InvalidArgumentError(absl::StrCat("data summary: feature ", i, " has mean ",
                                                   data.feature_mean(i), " and standard deviation ",
                                                   data.feature_stddev(i), ", want finite numbers"));
  }
  return absl::OkStatus();
}

absl::Status CheckSameData(const DataSummary& seen, const DataSummary& wanted) {
  const struct {
    const char* field;
    int64_t seen, wanted;
  } values[] = {{"input_dim", seen.input_dim(), wanted.input_dim()},
                {"classes", seen.classes(), wanted.classes()},
                {"utterances", seen.utterances(), wanted.utterances()},
                {"frames", seen.frames(), wanted.frames()},
                {"fingerprint", seen.fingerprint(), wanted.fingerprint()}};
  for (const auto& value : values) {
    if (value.seen != value.wanted) {
      return absl::FailedPreconditionError(absl::StrCat("data summary: ", value.field, " is ", value.seen,
                                                        ", want ", value.wanted, " as in the run's data"));
    }
  }
  RETURN_IF_ERROR(CheckClose("feature_mean", seen.feature_mean(), wanted.feature_mean(), wanted));
  return CheckClose("feature_stddev", seen.feature_stddev(), wanted.feature_stddev(), wanted);
}

}  // namespace downpour
