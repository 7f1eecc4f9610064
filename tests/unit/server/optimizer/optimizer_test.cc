// Where on the data's way: inside the shard; the update rules against steps worked out by hand.
#include "server/optimizer/optimizer.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

OptimizerDescription Describe(OptimizerDescription::Kind kind, float rho, float epsilon,
                              float learning_rate) {
  OptimizerDescription description;
  description.set_kind(kind);
  description.set_rho(rho);
  description.set_epsilon(epsilon);
  description.set_learning_rate(learning_rate);
  return description;
}

// One parameter and its state, stepped one gradient at a time.
class Dimension {
 public:
  Dimension(const OptimizerDescription& description, float initial)
      : optimizer_(*Optimizer::Create(description)), x_(initial), state_(optimizer_->state_names().size()) {}

  float Step(float gradient, float factor = 1) {
    std::vector<float*> pointers;
    for (float& state : state_) pointers.push_back(&state);
    optimizer_->Apply({.factor = factor}, {&gradient, 1}, {&x_, 1}, pointers);
    return x_;
  }

  const std::vector<float>& state() const { return state_; }

 private:
  std::unique_ptr<Optimizer> optimizer_;
  float x_;
  std::vector<float> state_;
};

TEST(Sgd, FollowsEquation2) {
  Dimension x(Describe(OptimizerDescription::SGD, 0, 0, 0.5), 1);
  EXPECT_EQ(x.Step(0.25), 0.875f);  // 1 - 0.5 * 0.25
  EXPECT_EQ(x.Step(-1), 1.375f);    // 0.875 + 0.5
  EXPECT_TRUE(x.state().empty());
}

TEST(Momentum, FollowsEquation4) {
  Dimension x(Describe(OptimizerDescription::MOMENTUM, 0.5, 0, 0.5), 1);
  EXPECT_EQ(x.Step(1), 0.5f);      // dx = 0.5 * 0 - 0.5 * 1 = -0.5
  EXPECT_EQ(x.Step(1), -0.25f);    // dx = 0.5 * -0.5 - 0.5 = -0.75
  EXPECT_EQ(x.Step(-1), -0.125f);  // dx = 0.5 * -0.75 + 0.5 = 0.125
  EXPECT_THAT(x.state(), ElementsAre(0.125f));
}

TEST(Adagrad, FollowsEquation5) {
  Dimension x(Describe(OptimizerDescription::ADAGRAD, 0, 0, 0.5), 1);
  EXPECT_EQ(x.Step(3), 0.5f);                     // sum = 9, dx = -0.5 / 3 * 3
  EXPECT_FLOAT_EQ(x.Step(4), 0.1f);               // sum = 9 + 16 = 25, dx = -0.5 / 5 * 4 = -0.4
  EXPECT_FLOAT_EQ(x.Step(-12), 0.1f + 6.f / 13);  // sum = 25 + 144 = 169, dx = 0.5 / 13 * 12
  EXPECT_THAT(x.state(), ElementsAre(169));
}

TEST(Adagrad, StaysWhereThePaperDividesZeroByZero) {
  Dimension x(Describe(OptimizerDescription::ADAGRAD, 0, 0, 0.5), 1);
  EXPECT_EQ(x.Step(0), 1);
  EXPECT_EQ(x.Step(1e-30f), 1);  // its square is too small for a float
  EXPECT_EQ(x.Step(2), 0.5f);
}

TEST(Windowed, FollowsEquation10) {
  Dimension x(Describe(OptimizerDescription::WINDOWED, 0.75, 3, 0.5), 1);
  EXPECT_EQ(x.Step(2), 0.5f);   // E = 0.25 * 4 = 1, RMS = sqrt(1 + 3) = 2, dx = -0.5 / 2 * 2
  EXPECT_EQ(x.Step(1), 0.25f);  // E = 0.75 * 1 + 0.25 * 1 = 1, RMS = 2, dx = -0.5 / 2 * 1
  EXPECT_EQ(x.Step(0), 0.25f);  // E = 0.75
  EXPECT_THAT(x.state(), ElementsAre(0.75f));
}

TEST(Adadelta, FollowsAlgorithm1) {
  Dimension x(Describe(OptimizerDescription::ADADELTA, 0.95, 1e-6, 1), 1);
  // E[g^2] = 0.05 * 0.25 = 0.0125; RMS[g] = sqrt(0.012501) = 0.111807871; RMS[dx]_0 = sqrt(1e-6) = 0.001;
  // dx = -0.001 / 0.111807871 * 0.5 = -0.00447195708; E[dx^2] = 0.05 * dx^2 = 9.99920006e-7
  EXPECT_FLOAT_EQ(x.Step(0.5), 0.995528043f);
  EXPECT_FLOAT_EQ(x.state()[0], 0.0125f);
  EXPECT_FLOAT_EQ(x.state()[1], 9.99920006e-7f);
  // E[g^2] = 0.95 * 0.0125 + 0.05 * 0.0625 = 0.015; RMS[g] = sqrt(0.015001) = 0.122478570;
  // RMS[dx]_1 = sqrt(1.99992001e-6) = 0.00141418528; dx = 0.00141418528 / 0.122478570 * 0.25 = 0.00288659740;
  // E[dx^2] = 0.95 * 9.99920006e-7 + 0.05 * 8.33244453e-6 = 1.36654623e-6
  EXPECT_FLOAT_EQ(x.Step(-0.25), 0.998414640f);
  EXPECT_FLOAT_EQ(x.state()[0], 0.015f);
  EXPECT_FLOAT_EQ(x.state()[1], 1.36654623e-6f);
  // No gradient: no step, both averages decay: 0.95 * 0.015 and 0.95 * 1.36654623e-6
  EXPECT_FLOAT_EQ(x.Step(0), 0.998414640f);
  EXPECT_FLOAT_EQ(x.state()[0], 0.01425f);
  EXPECT_FLOAT_EQ(x.state()[1], 1.29821892e-6f);
}

// A factor multiplies the change of the parameter; the state goes on as without it.
TEST(Factor, OfSgd) {
  Dimension x(Describe(OptimizerDescription::SGD, 0, 0, 0.5), 1);
  EXPECT_EQ(x.Step(0.25, 0.5), 0.9375f);  // 1 - 0.5 * (0.5 * 0.25)
  EXPECT_EQ(x.Step(-1, 4), 2.9375f);      // 0.9375 + 4 * 0.5
  EXPECT_EQ(x.Step(-1, 0), 2.9375f);
}

TEST(Factor, OfMomentum) {
  Dimension x(Describe(OptimizerDescription::MOMENTUM, 0.5, 0, 0.5), 1);
  EXPECT_EQ(x.Step(1, 0.5), 0.75f);  // dx = 0.5 * 0 - 0.5 * 1 = -0.5; 1 - 0.5 * 0.5
  EXPECT_THAT(x.state(), ElementsAre(-0.5f));
  EXPECT_EQ(x.Step(1, 2), -0.75f);  // dx = 0.5 * -0.5 - 0.5 = -0.75; 0.75 - 2 * 0.75
  EXPECT_EQ(x.Step(-1, 0), -0.75f);
  EXPECT_THAT(x.state(), ElementsAre(0.125f));  // dx = 0.5 * -0.75 + 0.5
}

TEST(Factor, OfAdagrad) {
  Dimension x(Describe(OptimizerDescription::ADAGRAD, 0, 0, 0.5), 1);
  EXPECT_EQ(x.Step(3, 0.5), 0.75f);       // sum = 9, dx = -0.5 / 3 * 3 = -0.5; 1 - 0.5 * 0.5
  EXPECT_FLOAT_EQ(x.Step(4, 2), -0.05f);  // sum = 9 + 16 = 25, dx = -0.5 / 5 * 4 = -0.4; 0.75 - 2 * 0.4
  EXPECT_THAT(x.state(), ElementsAre(25));
}

TEST(Factor, OfWindowed) {
  Dimension x(Describe(OptimizerDescription::WINDOWED, 0.75, 3, 0.5), 1);
  EXPECT_EQ(x.Step(2, 0.5),
            0.75f);  // E = 0.25 * 4 = 1, RMS = sqrt(1 + 3) = 2, dx = -0.5 / 2 * 2; 1 - 0.5 * 0.5
  EXPECT_EQ(x.Step(1, 2), 0.25f);  // E = 0.75 + 0.25 = 1, RMS = 2, dx = -0.5 / 2 * 1 = -0.25; 0.75 - 2 * 0.25
  EXPECT_THAT(x.state(), ElementsAre(1));
}

TEST(Factor, OfAdadelta) {
  Dimension x(Describe(OptimizerDescription::ADADELTA, 0.95, 1e-6, 1), 1);
  // State and changes are those of Adadelta.FollowsAlgorithm1: dx = -0.00447195708, then 0.00288659740.
  EXPECT_FLOAT_EQ(x.Step(0.5, 0.5), 0.997764021f);  // 1 - 0.5 * 0.00447195708
  EXPECT_FLOAT_EQ(x.Step(-0.25, 2), 1.003537216f);  // 0.997764021 + 2 * 0.00288659740
  EXPECT_FLOAT_EQ(x.state()[0], 0.015f);
  EXPECT_FLOAT_EQ(x.state()[1], 1.36654623e-6f);
}

OptimizerDescription Stale(float exponent, float tolerance) {
  OptimizerDescription description;
  description.set_staleness_exponent(exponent);
  description.set_staleness_tolerance(tolerance);
  return description;
}

TEST(StepOf, ShrinksWithStaleness) {
  EXPECT_EQ(StepOf(Stale(1, 1), 7, 0).factor, 1);
  EXPECT_EQ(StepOf(Stale(1, 1), 7, 3).factor, 0.25f);      // 1 / (1 + 3)
  EXPECT_EQ(StepOf(Stale(0.5, 1), 7, 3).factor, 0.5f);     // 1 / sqrt(1 + 3)
  EXPECT_EQ(StepOf(Stale(1, 4), 7, 12).factor, 0.25f);     // 1 / (1 + 12 / 4)
  EXPECT_EQ(StepOf(Stale(2, 0.5), 7, 1).factor, 1.f / 9);  // 1 / (1 + 1 / 0.5)^2
  EXPECT_EQ(StepOf(Stale(1, 4), 7, 12).update, 7);
  EXPECT_EQ(StepOf(Stale(1, 4), 7, 12).staleness, 12);
}

OptimizerDescription Scheduled(ScheduleDescription::Kind kind, int64_t updates, float final) {
  OptimizerDescription description;
  description.mutable_schedule()->set_kind(kind);
  description.mutable_schedule()->set_updates(updates);
  description.mutable_schedule()->set_final(final);
  return description;
}

TEST(StepOf, FollowsItsScheduleFromTheFirstUpdateToItsEndAndStaysThere) {
  const OptimizerDescription exponential = Scheduled(ScheduleDescription::EXPONENTIAL, 100, 1.f / 16);
  EXPECT_EQ(StepOf(exponential, 1, 0).factor, 1);
  EXPECT_EQ(StepOf(exponential, 26, 0).factor, 0.5f);   // 16^(-25/100)
  EXPECT_EQ(StepOf(exponential, 51, 0).factor, 0.25f);  // 16^(-50/100)
  EXPECT_EQ(StepOf(exponential, 101, 0).factor, 0.0625f);
  EXPECT_EQ(StepOf(exponential, 1'000'000, 0).factor, 0.0625f);
  const OptimizerDescription cosine = Scheduled(ScheduleDescription::COSINE, 60, 0.5);
  EXPECT_EQ(StepOf(cosine, 1, 0).factor, 1);
  EXPECT_FLOAT_EQ(StepOf(cosine, 21, 0).factor, 0.875f);  // 0.5 + 0.5 (1 + cos 60°) / 2
  EXPECT_FLOAT_EQ(StepOf(cosine, 31, 0).factor, 0.75f);
  EXPECT_EQ(StepOf(cosine, 61, 0).factor, 0.5f);
  EXPECT_EQ(StepOf(cosine, 1'000'000, 0).factor, 0.5f);
}

TEST(StepOf, TakesThePlateausFactorAndThatOfStaleness) {
  OptimizerDescription description = Scheduled(ScheduleDescription::PLATEAU, 0, 1);
  description.set_staleness_exponent(1);
  EXPECT_EQ(StepOf(description, 9, 3, 0.5f).factor, 0.125f);
  EXPECT_EQ(StepOf(Stale(1, 1), 9, 3, 0.5f).factor, 0.25f) << "CONSTANT has no plateau";
}

TEST(StepOf, IsTheWholeStepByDefault) { EXPECT_EQ(StepOf(OptimizerDescription(), 1, 1'000'000).factor, 1); }

class AnyRule : public ::testing::TestWithParam<OptimizerDescription::Kind> {
 protected:
  Dimension NewDimension() const { return {Describe(GetParam(), 0.9, 1e-6, 0.1), 1}; }
};

TEST_P(AnyRule, DoesNotMoveWithoutGradient) {
  Dimension x = NewDimension();
  for (int t = 0; t < 100; ++t) EXPECT_EQ(x.Step(0), 1);
  EXPECT_THAT(x.state(), Each(0));
}

TEST_P(AnyRule, KeepsTheSameStateWhateverTheFactor) {
  Dimension one = NewDimension(), other = NewDimension();
  for (int t = 0; t < 100; ++t) {
    const float gradient = t % 3 == 0 ? -0.5f : 0.2f;
    one.Step(gradient);
    other.Step(gradient, 0.1f * static_cast<float>(t % 20));
    EXPECT_EQ(other.state(), one.state()) << t;
  }
}

TEST_P(AnyRule, OutlivesTheLargestGradients) {
  Dimension x = NewDimension();
  for (float gradient : {1e30f, -1e30f, 3.4e38f, 3.4e38f, 3.4e38f, -3.4e38f}) {
    EXPECT_TRUE(std::isfinite(x.Step(gradient))) << gradient;
    for (float state : x.state()) EXPECT_TRUE(std::isfinite(state)) << gradient;
  }
  const float before = x.Step(0);
  for (int t = 0; t < 1000; ++t) x.Step(1);
  EXPECT_LE(x.Step(1), before);  // it still descends
}

INSTANTIATE_TEST_SUITE_P(Optimizer, AnyRule,
                         ::testing::Values(OptimizerDescription::SGD, OptimizerDescription::MOMENTUM,
                                           OptimizerDescription::ADAGRAD, OptimizerDescription::WINDOWED,
                                           OptimizerDescription::ADADELTA),
                         [](const auto& info) { return OptimizerDescription::Kind_Name(info.param); });

TEST(DecayingState, HoldsNoSubnormalOnceGradientsHaveCeased) {
  for (auto kind :
       {OptimizerDescription::MOMENTUM, OptimizerDescription::WINDOWED, OptimizerDescription::ADADELTA}) {
    Dimension x(Describe(kind, 0.95, 1e-6, 0.1), 1);
    x.Step(1);
    EXPECT_THAT(x.state(), Each(::testing::Ne(0)));
    for (int t = 0; t < 2000; ++t) x.Step(0);  // 0.95^2000 = 3e-45
    EXPECT_THAT(x.state(), Each(0)) << OptimizerDescription::Kind_Name(kind);
  }
}

// A gradient whose square overflows takes the step of any other large gradient: the paper's "robust to large
// gradients".
TEST(Adadelta, TakesTheStepOfItsDirectionWhereTheSquareOverflows) {
  const OptimizerDescription description = Describe(OptimizerDescription::ADADELTA, 0.95, 1e-6, 1);
  Dimension large(description, 0);
  Dimension larger(description, 0);
  // First step: dx = -sqrt(epsilon / (1 - rho)) = -0.00447214, whatever the gradient.
  EXPECT_FLOAT_EQ(large.Step(1e15), -0.00447213595f);
  EXPECT_FLOAT_EQ(larger.Step(1e30), -0.00447213595f);
}

TEST(OptimizerCreate, DefaultsAreThePapers) {
  OptimizerDescription description;
  EXPECT_EQ(description.kind(), OptimizerDescription::ADADELTA);
  EXPECT_EQ(description.rho(), 0.95f);
  EXPECT_EQ(description.epsilon(), 1e-6f);
  EXPECT_THAT((*Optimizer::Create(description))->state_names(), ElementsAre("E[g^2]", "E[dx^2]"));
}

TEST(OptimizerCreate, KnowsEveryKind) {
  const auto* kinds = OptimizerDescription::Kind_descriptor();
  for (int i = 0; i < kinds->value_count(); ++i) {
    OptimizerDescription description;
    description.set_kind(static_cast<OptimizerDescription::Kind>(kinds->value(i)->number()));
    EXPECT_TRUE(Optimizer::Create(description).ok()) << kinds->value(i)->name();
  }
}

void ExpectRefused(const OptimizerDescription& description, const std::string& message) {
  const auto optimizer = Optimizer::Create(description);
  EXPECT_EQ(optimizer.status().code(), absl::StatusCode::kInvalidArgument) << description.ShortDebugString();
  EXPECT_THAT(std::string(optimizer.status().message()), HasSubstr(message));
}

TEST(OptimizerCreate, NamesTheFieldTheValueAndWhatIsWanted) {
  using D = OptimizerDescription;
  ExpectRefused(Describe(D::MOMENTUM, 1, 0, 1), "optimizer.rho is 1, want 0 <= rho < 1");
  ExpectRefused(Describe(D::ADADELTA, -0.5, 1e-6, 1), "optimizer.rho is -0.5, want");
  ExpectRefused(Describe(D::ADADELTA, NAN, 1e-6, 1), "optimizer.rho is nan, want");
  ExpectRefused(Describe(D::ADADELTA, 0.9, 0, 1), "optimizer.epsilon is 0, want 0 < epsilon");
  ExpectRefused(Describe(D::WINDOWED, 0.9, -1, 1), "optimizer.epsilon is -1, want");
  ExpectRefused(Describe(D::WINDOWED, 0.9, kInfinity, 1), "optimizer.epsilon is inf, want");
  ExpectRefused(Describe(D::SGD, 0.9, 1e-6, 0), "optimizer.learning_rate is 0, want");
  ExpectRefused(Describe(D::ADAGRAD, 0.9, 1e-6, kInfinity), "optimizer.learning_rate is inf, want");
  ExpectRefused(Describe(D::ADAGRAD, 0.9, 1e-6, NAN), "optimizer.learning_rate is nan, want");
  ExpectRefused(Stale(-1, 1), "optimizer.staleness_exponent is -1, want 0 <= staleness_exponent <= 10");
  ExpectRefused(Stale(NAN, 1), "optimizer.staleness_exponent is nan, want");
  ExpectRefused(Stale(1, 0), "optimizer.staleness_tolerance is 0, want 0 < staleness_tolerance");
  using S = ScheduleDescription;
  ExpectRefused(Scheduled(S::COSINE, 0, 0.1f), "optimizer.schedule.updates is 0, want a length above 0");
  ExpectRefused(Scheduled(S::COSINE, -3, 0.1f), "optimizer.schedule.updates is -3, want 0 or more");
  ExpectRefused(Scheduled(S::CONSTANT, 0, 0), "optimizer.schedule.final is 0, want 0 < final <= 1");
  D description = Scheduled(S::COSINE, 5, 0.1f);
  description.mutable_schedule()->set_epochs(2);
  ExpectRefused(description,
                "optimizer.schedule.epochs is 2, want 0 where optimizer.schedule.updates is set");
  description = {};
  description.mutable_schedule()->set_decay(1.5);
  ExpectRefused(description, "optimizer.schedule.decay is 1.5, want 0 < decay <= 1");
  description = {};
  description.mutable_schedule()->set_patience(0);
  ExpectRefused(description, "optimizer.schedule.patience is 0, want 1 or more");
  EXPECT_TRUE(Optimizer::Create(Describe(D::ADAGRAD, 0, 0, 1)).ok());
}

}  // namespace
}  // namespace downpour
