// Where on the data's way: before it; the run description's syntax, overrides and rules.
#include "common/program/run_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

RunDescription Valid() {
  RunDescription description;
  description.mutable_data()->set_train_dir("train");
  description.mutable_data()->set_test_dir("test");
  description.mutable_budget()->set_epochs(1);
  return description;
}

std::string Message(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
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
  EXPECT_THAT(Message(SetField("optimizer", "SDG:0.5", &description)), HasSubstr("SDG"));
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

TEST(Validate, NamesFieldValueSeenAndWanted) {
  EXPECT_TRUE(ValidateRunDescription(Valid()).ok());
  RunDescription description = Valid();
  description.mutable_cluster()->set_replicas(0);
  EXPECT_EQ(Message(ValidateRunDescription(description)), "cluster.replicas is 0, want 1 to 65536");
  description = Valid();
  description.mutable_virtual_clock()->set_straggler_probability(1.5);
  EXPECT_THAT(Message(ValidateRunDescription(description)),
              HasSubstr("virtual_clock.straggler_probability is 1.5"));
}

TEST(Validate, FindsAtOnceWhatWouldFailLater) {
  RunDescription description = Valid();
  description.mutable_optimizer()->set_rho(1);
  EXPECT_EQ(Message(ValidateRunDescription(description)), "optimizer.rho is 1, want 0 <= rho < 1");
  description = Valid();
  description.mutable_data()->set_left_context(1001);
  EXPECT_EQ(Message(ValidateRunDescription(description)), "data.left_context is 1001, want 0 to 1000");
  description = Valid();
  description.mutable_data()->set_right_context(1001);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("data.right_context"));
  description = Valid();
  description.mutable_data()->set_classes((1 << 20) + 1);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("data.classes"));
  description = Valid();
  description.mutable_network()->add_hidden_width((1 << 20) + 1);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("network.hidden_width"));
  description = Valid();
  description.mutable_cluster()->set_replicas(1'000'000'000);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("cluster.replicas is 1000000000"));
  description = Valid();
  description.mutable_cluster()->set_shards(1'500'000'000);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("cluster.shards is 1500000000"));
  description = Valid();
  description.mutable_cluster()->set_minibatch(1'000'000'000);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("cluster.minibatch is 1000000000"));
}

TEST(Validate, NoiseIsInSharesAndAtMostAsLongAsAReplicaMayBeSilent) {
  RunDescription description = Valid();
  description.mutable_noise()->set_label_share(1.5);
  EXPECT_EQ(Message(ValidateRunDescription(description)), "noise.label_share is 1.5, want 0 to 1");
  description = Valid();
  description.mutable_noise()->set_push_drop_share(1);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("noise.push_drop_share is 1"));
  description = Valid();
  description.mutable_noise()->set_push_delay_s(30);
  EXPECT_TRUE(ValidateRunDescription(description).ok()) << "no push is late";
  description.mutable_noise()->set_push_delay_share(0.1);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("noise.push_delay_s is 30"));
  description = Valid();
  description.mutable_noise()->set_gradient_sigma(-1);
  EXPECT_EQ(Message(ValidateRunDescription(description)), "noise.gradient_sigma is -1, want 0 or more");
  description = Valid();
  description.mutable_noise()->set_slow_factor(0.5);
  EXPECT_EQ(Message(ValidateRunDescription(description)), "noise.slow_factor is 0.5, want 1 or more");
}

TEST(Validate, WantsDataAndAnEnd) {
  RunDescription description = Valid();
  description.clear_budget();
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("budget.epochs"));
  description = Valid();
  description.mutable_data()->clear_test_dir();
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("data.test_dir"));
  description = Valid();
  description.mutable_data()->set_mnist_dir("m");
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("data.mnist_dir"));
}

TEST(CheckSameRun, IgnoresBudgetAndWhereTheDataLies) {
  RunDescription other = Valid();
  other.mutable_budget()->set_epochs(9);
  other.mutable_data()->set_train_dir("/elsewhere");
  other.set_name("b");
  EXPECT_TRUE(CheckSameRun(Valid(), other).ok());
}

TEST(CheckSameRun, TheSimulationIsNoPartOfARunOfProcesses) {
  RunDescription other = Valid();
  other.mutable_cluster()->set_replica_timeout_s(7);
  EXPECT_TRUE(CheckSameRun(Valid(), other).ok());
  other.mutable_cluster()->set_replicas(7);
  EXPECT_FALSE(CheckSameRun(Valid(), other).ok());
  other.mutable_cluster()->set_clock(ClusterDescription::WALL);
  other.mutable_virtual_clock()->set_latency_s(7);
  EXPECT_TRUE(CheckSameProcessRun(Valid(), other).ok());
  other.mutable_cluster()->set_n_push(7);
  EXPECT_FALSE(CheckSameProcessRun(Valid(), other).ok());
}

TEST(CheckSameRun, ExplicitDefaultEqualsAbsent) {
  RunDescription other = Valid();
  other.mutable_optimizer()->set_kind(OptimizerDescription::ADADELTA);
  other.mutable_cluster()->set_shards(2);
  EXPECT_TRUE(CheckSameRun(Valid(), other).ok());
}

TEST(CheckSameRun, NamesTheDifference) {
  RunDescription other = Valid();
  other.mutable_optimizer()->set_rho(0.5);
  const absl::Status status = CheckSameRun(other, Valid());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("optimizer"), HasSubstr("rho"), HasSubstr("0.5")));
}

TEST(DescribeFields, ListsTypesAndDefaults) {
  EXPECT_THAT(DescribeFields(),
              HasSubstr("--optimizer.kind  (ADADELTA|ADAGRAD|MOMENTUM|SGD|WINDOWED, default ADADELTA)"));
  EXPECT_THAT(DescribeFields(), HasSubstr("--data.left_context  (int32, default 15)"));
}

}  // namespace
}  // namespace downpour
