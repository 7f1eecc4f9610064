// Where on the data's way: common/program, before a run; the one table of update rules and their numbers.
#ifndef DOWNPOUR_COMMON_PROGRAM_UPDATE_RULES_H_
#define DOWNPOUR_COMMON_PROGRAM_UPDATE_RULES_H_

#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "proto/config.pb.h"

namespace downpour {

// A number that rules take: a float field of OptimizerDescription. Its default stands in proto/config.proto.
struct Hyperparameter {
  enum class Zero { kAllowed, kRefused, kRefusedWhereUsed };  // negative values are always refused

  int field;          // number of the field
  const char* label;  // what reports call it
  Zero zero;
  float limit;  // the upper bound
  bool limit_allowed;
};

inline constexpr Hyperparameter kLearningRate = {OptimizerDescription::kLearningRateFieldNumber,
                                                 "learning rate", Hyperparameter::Zero::kRefused,
                                                 std::numeric_limits<float>::infinity(), false};
inline constexpr Hyperparameter kRho = {OptimizerDescription::kRhoFieldNumber, "ρ",
                                        Hyperparameter::Zero::kAllowed, 1, false};
// Rules that use it divide by it, hence not 0. Above 1e30 its sum with the largest E[g^2] would overflow.
inline constexpr Hyperparameter kEpsilon = {OptimizerDescription::kEpsilonFieldNumber, "ε",
                                            Hyperparameter::Zero::kRefusedWhereUsed, 1e30f, true};
inline constexpr Hyperparameter kMu = {OptimizerDescription::kMuFieldNumber, "μ",
                                       Hyperparameter::Zero::kRefusedWhereUsed, 1e30f, true};
inline constexpr Hyperparameter kSlowStart = {OptimizerDescription::kSlowStartFieldNumber, "slow start",
                                              Hyperparameter::Zero::kAllowed, 1e12f, true};
// In the order in which OptimizerText names them.
inline constexpr const Hyperparameter* kHyperparameters[] = {&kLearningRate, &kRho, &kEpsilon, &kMu,
                                                             &kSlowStart};
// Of every rule: what staleness, or the way gone since the fetch, makes of its step.
inline constexpr Hyperparameter kStalenessExponent = {OptimizerDescription::kStalenessExponentFieldNumber,
                                                      "staleness exponent", Hyperparameter::Zero::kAllowed,
                                                      10, true};
inline constexpr Hyperparameter kStalenessTolerance = {OptimizerDescription::kStalenessToleranceFieldNumber,
                                                       "tolerance", Hyperparameter::Zero::kRefused, 1e9f,
                                                       true};

inline constexpr Hyperparameter kCompensationStrength = {
    OptimizerDescription::kCompensationStrengthFieldNumber, "strength", Hyperparameter::Zero::kRefused, 1e9f,
    true};

struct UpdateRule {
  OptimizerDescription::Kind kind;
  int planes;          // of its pushes (common/wire/push_planes.h), at most
  const char* source;  // algorithm or equation of Zeiler 2012
  // Those that the rule uses, then nullptr. The first is the principal one: --optimizer=KIND:VALUE sets it.
  std::array<const Hyperparameter*, std::size(kHyperparameters)> hyperparameters;

  bool Uses(const Hyperparameter& hyperparameter) const;
};

// One row for each kind, in the order of the enum. What the rule does is in server/optimizer/.
inline constexpr UpdateRule kUpdateRules[] = {
    {OptimizerDescription::ADADELTA, 1, "Algorithm 1", {&kEpsilon, &kRho}},
    {OptimizerDescription::ADAGRAD, 1, "(5)", {&kLearningRate}},
    {OptimizerDescription::MOMENTUM, 1, "(4)", {&kLearningRate, &kRho}},
    {OptimizerDescription::SGD, 1, "(2)", {&kLearningRate}},
    {OptimizerDescription::WINDOWED, 1, "(10)", {&kLearningRate, &kRho, &kEpsilon}},
    {OptimizerDescription::DIAGONAL_HESSIAN, 2, "(6)", {&kLearningRate, &kRho, &kMu}},
    {OptimizerDescription::VSGD, 3, "(7)", {&kSlowStart}},
};
static_assert(std::size(kUpdateRules) == OptimizerDescription::Kind_ARRAYSIZE,
              "every OptimizerDescription.Kind has a row, without gaps");
static_assert(
    [] {
      for (size_t row = 0; row < std::size(kUpdateRules); ++row)
        if (kUpdateRules[row].kind != static_cast<int>(row)) return false;
      return true;
    }(),
    "the rows stand in the order of OptimizerDescription.Kind");

// INVALID_ARGUMENT naming the first hyperparameter out of bounds, used or not, its value and those wanted.
absl::Status ValidateOptimizer(const OptimizerDescription& optimizer);
// How many planes a replica's push has that has computed `step` minibatches before it: those of the rule,
// but for DIAGONAL_HESSIAN one only, unless curvature_every divides `step`.
int PlanesOfPush(const OptimizerDescription& optimizer, int64_t step);
// The field that VALUE of --optimizer=KIND:VALUE sets, e.g. "epsilon" for ADADELTA.
std::string PrincipalHyperparameter(OptimizerDescription::Kind kind);
// "ADADELTA, ρ 0.95, ε 1e-06": the rule and the hyperparameters that it uses.
std::string OptimizerText(const OptimizerDescription& optimizer);
// Every rule with its source, its hyperparameters and their defaults, one a line, for --help.
std::string DescribeUpdateRules();

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_UPDATE_RULES_H_
