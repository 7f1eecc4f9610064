// Where on the data's way: common/program, before a run; reads hyperparameters by their rows of the table.
#include "common/program/update_rules.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <cmath>

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

absl::Status CheckPlanes(const OptimizerDescription& optimizer) {
  const auto refuse = [](const auto& what, const auto& seen, const char* wanted) {
    return absl::InvalidArgumentError(absl::StrCat("optimizer.", what, " is ", seen, ", want ", wanted));
  };
  if (optimizer.curvature_every() < 1)
    return refuse("curvature_every", optimizer.curvature_every(), "1 or more");
  // VSGD counts them in a float32 (server/optimizer/vsgd.cc).
  if (optimizer.start_updates() < 1 || optimizer.start_updates() > 1 << 20)
    return refuse("start_updates", optimizer.start_updates(), "1 to 1048576");
  if (optimizer.minibatch() < 0)
    return refuse("minibatch", optimizer.minibatch(), "0 (cluster.minibatch) or more");
  if (kUpdateRules[optimizer.kind()].planes > 1 && optimizer.compensation() != OptimizerDescription::NONE) {
    return refuse("compensation", OptimizerDescription::Compensation_Name(optimizer.compensation()),
                  "NONE for a rule that wants the curvature");
  }
  return absl::OkStatus();
}

absl::Status CheckSchedule(const ScheduleDescription& schedule) {
  const bool has_length = schedule.updates() > 0 || schedule.epochs() > 0;
  const bool wants_length =
      schedule.kind() == ScheduleDescription::EXPONENTIAL || schedule.kind() == ScheduleDescription::COSINE;
  const auto refuse = [](const auto& what, const auto& seen, const char* wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("optimizer.schedule.", what, " is ", seen, ", want ", wanted));
  };
  if (schedule.updates() < 0) return refuse("updates", schedule.updates(), "0 or more");
  if (!(schedule.epochs() >= 0 && std::isfinite(schedule.epochs())))
    return refuse("epochs", schedule.epochs(), "0 or more");
  if (schedule.updates() > 0 && schedule.epochs() > 0)
    return refuse("epochs", schedule.epochs(), "0 where optimizer.schedule.updates is set");
  if (wants_length && !has_length)
    return refuse("updates", 0, "a length above 0, in optimizer.schedule.updates or .epochs");
  if (!(schedule.final() > 0 && schedule.final() <= 1))
    return refuse("final", schedule.final(), "0 < final <= 1");
  if (!(schedule.decay() > 0 && schedule.decay() <= 1))
    return refuse("decay", schedule.decay(), "0 < decay <= 1");
  if (schedule.patience() < 1) return refuse("patience", schedule.patience(), "1 or more");
  return absl::OkStatus();
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
  for (const Hyperparameter* hyperparameter :
       {&kStalenessExponent, &kStalenessTolerance, &kCompensationStrength})
    RETURN_IF_ERROR(CheckBounds(*hyperparameter, Value(optimizer, *hyperparameter), true));
  RETURN_IF_ERROR(CheckPlanes(optimizer));
  return CheckSchedule(optimizer.schedule());
}

int PlanesOfPush(const OptimizerDescription& optimizer, int64_t step) {
  const bool curvature_due =
      optimizer.kind() != OptimizerDescription::DIAGONAL_HESSIAN || step % optimizer.curvature_every() == 0;
  return curvature_due ? kUpdateRules[optimizer.kind()].planes : 1;
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
  if (optimizer.compensation() != OptimizerDescription::NONE) {
    absl::StrAppend(&text, ", compensation ",
                    OptimizerDescription::Compensation_Name(optimizer.compensation()), " ",
                    optimizer.compensation_strength());
  }
  const ScheduleDescription& schedule = optimizer.schedule();
  const std::string length = schedule.updates() > 0 ? absl::StrCat(schedule.updates(), " updates")
                                                    : absl::StrCat(schedule.epochs(), " epochs");
  switch (schedule.kind()) {
    case ScheduleDescription::CONSTANT:
      break;
    case ScheduleDescription::EXPONENTIAL:
    case ScheduleDescription::COSINE:
      absl::StrAppend(&text, ", ", ScheduleDescription::Kind_Name(schedule.kind()), " to ", schedule.final(),
                      " in ", length);
      break;
    case ScheduleDescription::PLATEAU:
      absl::StrAppend(&text, ", PLATEAU times ", schedule.decay(), " after ", schedule.patience());
  }
  return text;
}

std::string DescribeUpdateRules() {
  std::string text;
  for (const UpdateRule& rule : kUpdateRules) {
    absl::StrAppendFormat(&text, "  %-16s  %-11s", OptimizerDescription::Kind_Name(rule.kind), rule.source);
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
