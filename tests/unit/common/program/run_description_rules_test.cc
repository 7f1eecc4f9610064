// Where on the data's way: common/program, before a run; the bounds of fields, and what makes two
// descriptions one run.
#include "common/program/run_description_rules.h"

#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

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

TEST(Validate, RoundsNeedAReplicaAndParametersFetchedForEachPush) {
  RunDescription description = Valid();
  description.mutable_cluster()->set_staleness_bound(-1);
  EXPECT_EQ(Message(ValidateRunDescription(description)), "cluster.staleness_bound is -1, want 0 or more");
  description = Valid();
  description.mutable_cluster()->set_backup_replicas(20);
  EXPECT_EQ(Message(ValidateRunDescription(description)),
            "cluster.backup_replicas is 20, want 0 or more, and below cluster.replicas");
  description = Valid();
  description.mutable_cluster()->set_n_fetch(2);
  EXPECT_TRUE(ValidateRunDescription(description).ok());
  description.mutable_cluster()->set_consistency(ClusterDescription::SYNCHRONOUS);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("cluster.n_fetch is 2, want 1 where"));
  description = Valid();
  description.mutable_cluster()->set_join_every_updates(5);
  EXPECT_TRUE(ValidateRunDescription(description).ok());
  description.mutable_cluster()->set_consistency(ClusterDescription::BOUNDED);
  EXPECT_EQ(Message(ValidateRunDescription(description)),
            "cluster.join_every_updates is 5, want 0 unless cluster.consistency is ASYNCHRONOUS");
}

TEST(Validate, RulesThatWantMorePlanesTakeEachPushByItself) {
  for (const auto kind : {OptimizerDescription::DIAGONAL_HESSIAN, OptimizerDescription::VSGD}) {
    RunDescription description = Valid();
    description.mutable_optimizer()->set_kind(kind);
    EXPECT_TRUE(ValidateRunDescription(description).ok());
    description.mutable_cluster()->set_n_push(2);
    EXPECT_EQ(Message(ValidateRunDescription(description)),
              "cluster.n_push is 2, want 1 for a rule that wants the curvature");
    description.mutable_cluster()->set_n_push(1);
    description.mutable_cluster()->set_consistency(ClusterDescription::SYNCHRONOUS);
    EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("want ASYNCHRONOUS or BOUNDED"));
    description = Valid();
    description.mutable_cluster()->mutable_warm_start_optimizer()->set_kind(kind);
    EXPECT_THAT(Message(ValidateRunDescription(description)),
                HasSubstr("want a rule that wants the gradient alone"));
  }
}

TEST(Validate, SamplesWithinBounds) {
  RunDescription description = Valid();
  description.mutable_sampling()->set_every_updates(-1);
  EXPECT_EQ(Message(ValidateRunDescription(description)),
            "sampling.every_updates is -1, want 0 (none) or more");
  description.mutable_sampling()->set_every_updates(60);
  EXPECT_TRUE(ValidateRunDescription(description).ok());
  description.mutable_sampling()->set_elements(0);
  EXPECT_EQ(Message(ValidateRunDescription(description)),
            "sampling.elements is 0, want 1 to 100 of each weight matrix");
  description.mutable_sampling()->set_elements(10);
  description.mutable_optimizer()->set_compensation(OptimizerDescription::GAP);
  EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr("want 0 with optimizer.compensation"));
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

// Calls `each` for every float and double of the message and of those in it.
void ForEachReal(
    google::protobuf::Message* message,
    const std::function<void(google::protobuf::Message*, const google::protobuf::FieldDescriptor*)>& each) {
  using Field = google::protobuf::FieldDescriptor;
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const Field* const field = message->GetDescriptor()->field(i);
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      ForEachReal(message->GetReflection()->MutableMessage(message, field), each);
    } else if (field->cpp_type() == Field::CPPTYPE_DOUBLE || field->cpp_type() == Field::CPPTYPE_FLOAT) {
      each(message, field);
    }
  }
}

TEST(Validate, EveryRealNumberIsFinite) {
  int fields = 0;
  RunDescription description = Valid();
  description.mutable_budget()->set_updates(1);
  ForEachReal(&description, [&](google::protobuf::Message* message,
                                const google::protobuf::FieldDescriptor* field) {
    ++fields;
    for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()}) {
      if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE) {
        message->GetReflection()->SetDouble(message, field, value);
      } else {
        message->GetReflection()->SetFloat(message, field, value);
      }
      EXPECT_THAT(Message(ValidateRunDescription(description)), HasSubstr(field->name())) << value;
      message->GetReflection()->ClearField(message, field);
    }
  });
  EXPECT_GT(fields, 30);
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

TEST(CheckSameRun, ReplicasArePartOfARunWithRounds) {
  RunDescription one = Valid(), other = Valid();
  one.mutable_cluster()->set_consistency(ClusterDescription::SYNCHRONOUS);
  other.mutable_cluster()->set_consistency(ClusterDescription::SYNCHRONOUS);
  EXPECT_TRUE(CheckSameProcessRun(one, other).ok());
  other.mutable_cluster()->set_replicas(7);
  EXPECT_THAT(std::string(CheckSameProcessRun(one, other).message()), HasSubstr("cluster.replicas: 20 -> 7"));
}

TEST(CheckSameRun, ExplicitDefaultEqualsAbsent) {
  RunDescription other = Valid();
  other.mutable_optimizer()->set_kind(OptimizerDescription::ADADELTA);
  other.mutable_cluster()->set_shards(2);
  EXPECT_TRUE(CheckSameRun(Valid(), other).ok());
}

TEST(CheckSameRun, IgnoresHowOftenARunIsScoredAndSaved) {
  RunDescription other = Valid();
  other.mutable_evaluation()->set_every_updates(7);
  other.mutable_checkpoint()->set_every_s(7);
  other.mutable_data()->set_test_human_dir("human");
  EXPECT_TRUE(CheckSameRun(Valid(), other).ok());
  EXPECT_TRUE(CheckSameRun(RunDescription(), Valid()).ok()) << "a message that is absent equals an empty one";
}

TEST(CheckSameRun, NamesNoFieldThatMayDiffer) {
  RunDescription other = Valid();
  other.set_name("b");
  other.mutable_data()->set_train_dir("/elsewhere");
  other.mutable_data()->set_classes(7);
  EXPECT_EQ(CheckSameRun(other, Valid()).message(),
            "another run's description: modified: data.classes: 7 -> 0");
}

TEST(CheckSameRun, NamesTheDifference) {
  RunDescription other = Valid();
  other.mutable_optimizer()->set_rho(0.5);
  const absl::Status status = CheckSameRun(other, Valid());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("optimizer"), HasSubstr("rho"), HasSubstr("0.5")));
}

}  // namespace
}  // namespace downpour
