// Where on the data's way: common/program, before a run; every kind of update rule stands in the table, with
// bounds, label and help.
#include "common/program/update_rules.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

TEST(UpdateRules, EveryKindIsValidLabelledAndExplained) {
  const auto* kinds = OptimizerDescription::Kind_descriptor();
  for (int i = 0; i < kinds->value_count(); ++i) {
    const std::string name = kinds->value(i)->name();
    SCOPED_TRACE(name);
    OptimizerDescription optimizer;
    optimizer.set_kind(static_cast<OptimizerDescription::Kind>(kinds->value(i)->number()));
    EXPECT_TRUE(ValidateOptimizer(optimizer).ok()) << "its defaults are out of bounds";
    EXPECT_THAT(OptimizerText(optimizer), HasSubstr(absl::StrCat(name, ", ")));
    EXPECT_THAT(DescribeUpdateRules(), HasSubstr(absl::StrCat("  ", name, " ")));
    const std::string field = PrincipalHyperparameter(optimizer.kind());
    EXPECT_THAT(DescribeUpdateRules(), HasSubstr(absl::StrCat(" ", field, "=")));
  }
}

TEST(UpdateRules, LabelsNameWhatTheRuleUses) {
  OptimizerDescription optimizer;
  EXPECT_EQ(OptimizerText(optimizer), "ADADELTA, ρ 0.95, ε 1e-06");
  optimizer.set_kind(OptimizerDescription::ADAGRAD);
  EXPECT_EQ(OptimizerText(optimizer), "ADAGRAD, learning rate 0.01");
  optimizer.set_kind(OptimizerDescription::MOMENTUM);
  EXPECT_EQ(OptimizerText(optimizer), "MOMENTUM, learning rate 0.01, ρ 0.95");
  optimizer.set_kind(OptimizerDescription::SGD);
  EXPECT_EQ(OptimizerText(optimizer), "SGD, learning rate 0.01");
  optimizer.set_kind(OptimizerDescription::WINDOWED);
  EXPECT_EQ(OptimizerText(optimizer), "WINDOWED, learning rate 0.01, ρ 0.95, ε 1e-06");
}

TEST(UpdateRules, HelpHasTheDefaultsOfTheProto) {
  EXPECT_THAT(DescribeUpdateRules(), HasSubstr("  ADADELTA  Algorithm 1  epsilon=1e-06  rho=0.95\n"));
  EXPECT_THAT(DescribeUpdateRules(), HasSubstr("  SGD       (2)          learning_rate=0.01\n"));
}

std::string Refusal(OptimizerDescription::Kind kind, float rho, float epsilon, float learning_rate) {
  OptimizerDescription optimizer;
  optimizer.set_kind(kind);
  optimizer.set_rho(rho);
  optimizer.set_epsilon(epsilon);
  optimizer.set_learning_rate(learning_rate);
  return std::string(ValidateOptimizer(optimizer).message());
}

TEST(ValidateOptimizer, ChecksWhatTheRuleUsesAndWhatItDoesNot) {
  using D = OptimizerDescription;
  EXPECT_EQ(Refusal(D::SGD, 0, 0, 1e-30F), "");
  EXPECT_EQ(Refusal(D::WINDOWED, 0, 1e30F, 1), "");
  EXPECT_EQ(Refusal(D::SGD, 1, 0, 1), "optimizer.rho is 1, want 0 <= rho < 1");
  EXPECT_EQ(Refusal(D::SGD, 0, -1, 1), "optimizer.epsilon is -1, want 0 <= epsilon <= 1e+30");
  EXPECT_EQ(Refusal(D::WINDOWED, 0, 0, 1), "optimizer.epsilon is 0, want 0 < epsilon <= 1e+30");
  EXPECT_EQ(Refusal(D::ADADELTA, 0, 1, 0), "optimizer.learning_rate is 0, want 0 < learning_rate < inf");
  EXPECT_EQ(Refusal(D::ADADELTA, NAN, 1, 1), "optimizer.rho is nan, want 0 <= rho < 1");
}

}  // namespace
}  // namespace downpour
