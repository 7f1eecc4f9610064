// Where on the data's way: common/program, before a run; the run description's syntax and overrides.
#include "common/program/run_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(ParseRunDescription, SkipsAByteOrderMark) {
  const auto description = ParseRunDescription("\xEF\xBB\xBFseed: 7", "run.textproto");
  ASSERT_TRUE(description.ok()) << description.status();
  EXPECT_EQ(description->seed(), 7);
}

TEST(ParseRunDescription, ReadsTextproto) {
  const auto description =
      ParseRunDescription("optimizer { kind: ADAGRAD }\nnetwork { hidden_width: [2560, 10] }", "x");
  ASSERT_TRUE(description.ok()) << description.status();
  EXPECT_EQ(description->optimizer().kind(), OptimizerDescription::ADAGRAD);
  EXPECT_EQ(description->network().hidden_width(1), 10);
}

TEST(ParseRunDescription, UnknownKeyIsNamedWithLineAndColumn) {
  const auto description =
      ParseRunDescription("name: 'a'\noptimizer {\n  rho: 0.9\n  rhoo: 0.9\n}\n", "run.textproto");
  EXPECT_THAT(Message(description.status()),
              AllOf(::testing::ContainsRegex("run.textproto:4:[0-9]+: "), HasSubstr("rhoo")));
}

TEST(ParseRunDescription, WrongValueIsNamedWithLineAndColumn) {
  const auto description = ParseRunDescription("optimizer { kind: ADADELTTA }", "r");
  EXPECT_THAT(Message(description.status()), AllOf(HasSubstr("r:1:"), HasSubstr("ADADELTTA")));
}

TEST(ReadRunDescription, MissingFileIsNotFound) {
  EXPECT_EQ(ReadRunDescription("/nonexistent/run").status().code(), absl::StatusCode::kNotFound);
}

TEST(Defaults, AreThePapers) {
  const OptimizerDescription& optimizer = RunDescription().optimizer();
  EXPECT_EQ(optimizer.kind(), OptimizerDescription::ADADELTA);
  EXPECT_FLOAT_EQ(optimizer.rho(), 0.95F);
  EXPECT_FLOAT_EQ(optimizer.epsilon(), 1e-6F);
  EXPECT_EQ(DataDescription().left_context() + 1 + DataDescription().right_context(), 26);
}

TEST(SetField, ReplacesRepeatedFieldsAndTakesPlainStrings) {
  RunDescription description;
  description.mutable_network()->add_hidden_width(7);
  ASSERT_TRUE(SetField("network.hidden_width", "[512, 256]", &description).ok());
  ASSERT_TRUE(SetField("data.train_dir", "some dir/\"x\"", &description).ok());
  ASSERT_TRUE(SetField("optimizer.kind", "SGD", &description).ok());
  ASSERT_TRUE(SetField("optimizer.learning_rate", "1e-3", &description).ok());
  EXPECT_THAT(description.network().hidden_width(), ::testing::ElementsAre(512, 256));
  EXPECT_EQ(description.data().train_dir(), "some dir/\"x\"");
  EXPECT_EQ(description.optimizer().kind(), OptimizerDescription::SGD);
  EXPECT_FLOAT_EQ(description.optimizer().learning_rate(), 1e-3F);
}

TEST(SetField, OptimizerSetsTheRuleAndItsFirstHyperparameter) {
  RunDescription description;
  ASSERT_TRUE(SetField("optimizer", "SGD:0.5", &description).ok());
  EXPECT_EQ(description.optimizer().kind(), OptimizerDescription::SGD);
  EXPECT_EQ(description.optimizer().learning_rate(), 0.5F);
  ASSERT_TRUE(SetField("optimizer", "ADADELTA:1e-8", &description).ok());
  EXPECT_EQ(description.optimizer().kind(), OptimizerDescription::ADADELTA);
  EXPECT_EQ(description.optimizer().epsilon(), 1e-8F);
  ASSERT_TRUE(SetField("optimizer", "MOMENTUM", &description).ok());
  EXPECT_EQ(description.optimizer().kind(), OptimizerDescription::MOMENTUM);
  EXPECT_EQ(description.optimizer().learning_rate(), 0.5F) << "not named, so left as it was";
  EXPECT_THAT(Message(SetField("optimizer", "SDG:0.5", &description)),
              AllOf(HasSubstr("SDG"), HasSubstr("SGD")));
  EXPECT_THAT(Message(SetField("optimizer", "SGD:fast", &description)), HasSubstr("optimizer.learning_rate"));
  Message(SetField("optimizer", "SGD:", &description));
  Message(SetField("optimizer", "SGD:1:2", &description));
}

TEST(SetField, UnknownFieldListsTheKnownOnes) {
  RunDescription description;
  EXPECT_THAT(Message(SetField("optimizer.roh", "1", &description)),
              AllOf(HasSubstr("'roh'"), HasSubstr("rho")));
  EXPECT_THAT(Message(SetField("optimizer", "1", &description)), HasSubstr("optimizer"));
  EXPECT_THAT(Message(SetField("seed.x", "1", &description)), HasSubstr("seed"));
}

TEST(SetField, OneFlagSetsOneField) {
  RunDescription description;
  Message(SetField("optimizer.rho", "0.9 kind: SGD", &description));
  Message(SetField("network.hidden_width", "[1] nonlinearity: TANH", &description));
  Message(SetField("optimizer.rho", "many", &description));
}

TEST(DescribeFields, ListsTypesAndDefaults) {
  EXPECT_THAT(
      DescribeFields(),
      HasSubstr("--optimizer.kind  (ADADELTA|ADAGRAD|MOMENTUM|SGD|WINDOWED|DIAGONAL_HESSIAN|VSGD, default "
                "ADADELTA)"));
  EXPECT_THAT(DescribeFields(), HasSubstr("--data.left_context  (int32, default 15)"));
}

}  // namespace
}  // namespace downpour
