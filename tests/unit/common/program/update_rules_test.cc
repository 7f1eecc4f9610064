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
  optimizer.set_kind(OptimizerDescription::DIAGONAL_HESSIAN);
  EXPECT_EQ(OptimizerText(optimizer), "DIAGONAL_HESSIAN, learning rate 0.01, ρ 0.95, μ 0.02");
  optimizer.set_kind(OptimizerDescription::VSGD);
  EXPECT_EQ(OptimizerText(optimizer), "VSGD, slow start 0");
}

TEST(UpdateRules, SayWhichPushesBringWhichPlanes) {
  OptimizerDescription optimizer;
  EXPECT_EQ(PlanesOfPush(optimizer, 0), 1);
  optimizer.set_kind(OptimizerDescription::VSGD);
  EXPECT_EQ(PlanesOfPush(optimizer, 77), 3);
  optimizer.set_kind(OptimizerDescription::DIAGONAL_HESSIAN);
  optimizer.set_curvature_every(50);
  EXPECT_EQ(PlanesOfPush(optimizer, 0), 2);
  EXPECT_EQ(PlanesOfPush(optimizer, 49), 1);
  EXPECT_EQ(PlanesOfPush(optimizer, 50), 2);
}

TEST(UpdateRules, HelpHasTheDefaultsOfTheProto) {
  EXPECT_THAT(DescribeUpdateRules(), HasSubstr("  ADADELTA          Algorithm 1  epsilon=1e-06  rho=0.95\n"));
  EXPECT_THAT(DescribeUpdateRules(), HasSubstr("  SGD               (2)          learning_rate=0.01\n"));
}

std::string Refusal(OptimizerDescription::Kind kind, float rho, float epsilon, float learning_rate) {
  OptimizerDescription optimizer;
  optimizer.set_kind(kind);
  optimizer.set_rho(rho);
  optimizer.set_epsilon(epsilon);
  optimizer.set_learning_rate(learning_rate);
  return std::string(ValidateOptimizer(optimizer).message());
}

TEST(ValidateOptimizer, ChecksWhatTheRulesWithMorePlanesUse) {
  using D = OptimizerDescription;
  const auto refusal = [](auto set) {
    D optimizer;
    optimizer.set_kind(D::VSGD);
    set(optimizer);
    return std::string(ValidateOptimizer(optimizer).message());
  };
  EXPECT_EQ(refusal([](D&) {}), "");
  EXPECT_EQ(refusal([](D& o) { o.set_curvature_every(0); }),
            "optimizer.curvature_every is 0, want 1 or more");
  EXPECT_EQ(refusal([](D& o) { o.set_start_updates(0); }), "optimizer.start_updates is 0, want 1 to 1048576");
  EXPECT_EQ(refusal([](D& o) { o.set_minibatch(-1); }),
            "optimizer.minibatch is -1, want 0 (cluster.minibatch) or more");
  EXPECT_EQ(refusal([](D& o) { o.set_slow_start(-1); }),
            "optimizer.slow_start is -1, want 0 <= slow_start <= 1e+12");
  EXPECT_EQ(refusal([](D& o) { o.set_compensation(D::GAP); }),
            "optimizer.compensation is GAP, want NONE for a rule that wants the curvature");
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
