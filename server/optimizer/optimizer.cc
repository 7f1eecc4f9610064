// Where on the data's way: inside the shard; from the run description to an update rule.
#include "server/optimizer/optimizer.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/optimizer/rules.h"

namespace downpour {
namespace {

// A larger epsilon would overflow when it is added to the largest E[g^2].
constexpr float kMaxEpsilon = 1e30f;

// Written so that NaN does not pass.
absl::Status Require(bool condition, absl::string_view field, float seen, absl::string_view wanted) {
  if (condition) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("optimizer.", field, " is ", seen, ", want ", wanted));
}

absl::Status Validate(const OptimizerDescription& description) {
  const float rho = description.rho();
  const float epsilon = description.epsilon();
  const float learning_rate = description.learning_rate();
  RETURN_IF_ERROR(Require(rho >= 0 && rho < 1, "rho", rho, "0 <= rho < 1"));
  const bool divides_by_epsilon = description.kind() == OptimizerDescription::ADADELTA ||
                                  description.kind() == OptimizerDescription::WINDOWED;
  RETURN_IF_ERROR(Require((divides_by_epsilon ? epsilon > 0 : epsilon >= 0) && epsilon <= kMaxEpsilon,
                          "epsilon", epsilon,
                          divides_by_epsilon ? "0 < epsilon <= 1e30" : "0 <= epsilon <= 1e30"));
  return Require(learning_rate > 0 && learning_rate <= std::numeric_limits<float>::max(), "learning_rate",
                 learning_rate, "a finite learning rate > 0");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Optimizer>> Optimizer::Create(const OptimizerDescription& description) {
  RETURN_IF_ERROR(Validate(description));
  switch (description.kind()) {
    case OptimizerDescription::ADADELTA:
      return NewAdadelta(description.rho(), description.epsilon());
    case OptimizerDescription::ADAGRAD:
      return NewAdagrad(description.learning_rate());
    case OptimizerDescription::MOMENTUM:
      return NewMomentum(description.learning_rate(), description.rho());
    case OptimizerDescription::SGD:
      return NewSgd(description.learning_rate());
    case OptimizerDescription::WINDOWED:
      return NewWindowed(description.learning_rate(), description.rho(), description.epsilon());
  }
  return absl::InvalidArgumentError(absl::StrCat("optimizer.kind is ", static_cast<int>(description.kind()),
                                                 ", want one of OptimizerDescription.Kind"));
}

}  // namespace downpour
