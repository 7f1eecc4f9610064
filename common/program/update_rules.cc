// Where on the data's way: common/program, before a run; reads hyperparameters by their rows of the table.
#include "common/program/update_rules.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

const google::protobuf::FieldDescriptor& Field(const Hyperparameter& hyperparameter) {
  return *OptimizerDescription::descriptor()->FindFieldByNumber(hyperparameter.field);
}

float Value(const OptimizerDescription& optimizer, const Hyperparameter& hyperparameter) {
  return optimizer.GetReflection()->GetFloat(optimizer, &Field(hyperparameter));
}

// Comparisons are written so that NaN does not pass.
absl::Status CheckBounds(const Hyperparameter& hyperparameter, float value, bool used) {
  const bool zero_allowed = hyperparameter.zero == Hyperparameter::Zero::kAllowed ||
                            (hyperparameter.zero == Hyperparameter::Zero::kRefusedWhereUsed && !used);
  const bool limit_allowed = hyperparameter.limit_allowed;
  if ((zero_allowed ? value >= 0 : value > 0) &&
      (limit_allowed ? value <= hyperparameter.limit : value < hyperparameter.limit))
    return absl::OkStatus();
  const std::string name = Field(hyperparameter).name();
  return absl::InvalidArgumentError(absl::StrCat("optimizer.", name, " is ", value, ", want 0",
                                                 zero_allowed ? " <= " : " < ", name,
                                                 limit_allowed ? " <= " : " < ", hyperparameter.limit));
}

}  // namespace

bool UpdateRule::Uses(const Hyperparameter& hyperparameter) const {
  return std::find(hyperparameters.begin(), hyperparameters.end(), &hyperparameter) != hyperparameters.end();
}

absl::Status ValidateOptimizer(const OptimizerDescription& optimizer) {
  for (const Hyperparameter* hyperparameter : kHyperparameters) {
    const bool used = kUpdateRules[optimizer.kind()].Uses(*hyperparameter);
    RETURN_IF_ERROR(CheckBounds(*hyperparameter, Value(optimizer, *hyperparameter), used));
  }
  for (const Hyperparameter* hyperparameter : {&kStalenessExponent, &kStalenessTolerance})
    RETURN_IF_ERROR(CheckBounds(*hyperparameter, Value(optimizer, *hyperparameter), true));
  return absl::OkStatus();
}

std::string PrincipalHyperparameter(OptimizerDescription::Kind kind) {
  return Field(*kUpdateRules[kind].hyperparameters[0]).name();
}

std::string OptimizerText(const OptimizerDescription& optimizer) {
  std::string text = OptimizerDescription::Kind_Name(optimizer.kind());
  for (const Hyperparameter* hyperparameter : kHyperparameters) {
    if (kUpdateRules[optimizer.kind()].Uses(*hyperparameter))
      absl::StrAppend(&text, ", ", hyperparameter->label, " ", Value(optimizer, *hyperparameter));
  }
  if (optimizer.staleness_exponent() > 0) {
    absl::StrAppend(&text, ", (1 + staleness / ", optimizer.staleness_tolerance(), ")^-",
                    optimizer.staleness_exponent());
  }
  return text;
}

std::string DescribeUpdateRules() {
  std::string text;
  for (const UpdateRule& rule : kUpdateRules) {
    absl::StrAppendFormat(&text, "  %-8s  %-11s", OptimizerDescription::Kind_Name(rule.kind), rule.source);
    for (const Hyperparameter* hyperparameter : rule.hyperparameters) {
      if (hyperparameter == nullptr) break;
      const google::protobuf::FieldDescriptor& field = Field(*hyperparameter);
      absl::StrAppend(&text, "  ", field.name(), "=", field.default_value_float());
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace downpour
