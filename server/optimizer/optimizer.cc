// Where on the data's way: inside the shard; makes the update rule that the run description names.
#include "server/optimizer/optimizer.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/program/run_description.h"
#include "common/status_macros.h"
#include "server/optimizer/rules.h"

namespace downpour {

absl::StatusOr<std::unique_ptr<Optimizer>> Optimizer::Create(const OptimizerDescription& description) {
  RETURN_IF_ERROR(ValidateOptimizer(description));
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
