// Where on the data's way: inside the shard; rounds of gradients against steps worked out by hand.
#include "server/optimizer/round_mean.h"

#include <cstring>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// Parameters and state, all 0 at first, stepped one gradient at a time.
class Vector {
 public:
  Vector(const OptimizerDescription& description, const Rounds& rounds, size_t size = 1)
      : optimizer_(*Optimizer::Create(description, {}, rounds)),
        parameters(size),
        state(optimizer_->state_names().size(), std::vector<float>(size)) {}

  void Step(absl::Span<const float> gradient, uint64_t update = 1, size_t begin = 0) {
    std::vector<float*> pointers;
    for (std::vector<float>& vector : state) pointers.push_back(&vector[begin]);
    optimizer_->Apply({.update = update}, gradient,
                      absl::MakeSpan(parameters).subspan(begin, gradient.size()), pointers);
  }

 private:
  std::unique_ptr<Optimizer> optimizer_;

 public:
  std::vector<float> parameters;
  std::vector<std::vector<float>> state;
};

OptimizerDescription Sgd(float learning_rate) {
  OptimizerDescription description;
  description.set_kind(OptimizerDescription::SGD);
  description.set_learning_rate(learning_rate);
  return description;
}

TEST(RoundMean, StepsSgdOnceARoundWithTheMean) {
  Vector x(Sgd(0.5), {.pushes = 2});
  x.Step({0.25f});
  EXPECT_THAT(x.parameters, ElementsAre(0));
  EXPECT_THAT(x.state, ElementsAre(ElementsAre(0.25f), ElementsAre(1)));  // sum and count
  x.Step({0.75f});
  EXPECT_THAT(x.parameters, ElementsAre(-0.25f));  // -0.5 * (0.25 + 0.75) / 2
  EXPECT_THAT(x.state, Each(ElementsAre(0)));
  x.Step({-4});
  x.Step({2}, 2);
  EXPECT_THAT(x.parameters, ElementsAre(0.25f));  // -0.25 - 0.5 * (-4 + 2) / 2
}

// The means are the gradients of Adadelta.FollowsAlgorithm1 in optimizer_test.cc, 0.5 and -0.25.
TEST(RoundMean, StepsAdadeltaOnceARoundWithTheMean) {
  Vector x(OptimizerDescription(), {.pushes = 4});
  for (const float gradient : {1.25f, 0.25f, -0.5f, 1.0f}) x.Step({gradient});
  EXPECT_FLOAT_EQ(x.parameters[0], -0.00447195708f);
  EXPECT_FLOAT_EQ(x.state[0][0], 0.0125f);
  EXPECT_FLOAT_EQ(x.state[1][0], 9.99920006e-7f);
  for (const float gradient : {-1.0f, 0.5f, -0.25f, -0.25f}) x.Step({gradient}, 2);
  EXPECT_FLOAT_EQ(x.parameters[0], -0.00447195708f + 0.00288659740f);
  EXPECT_FLOAT_EQ(x.state[0][0], 0.015f);
  EXPECT_FLOAT_EQ(x.state[1][0], 1.36654623e-6f);
}

TEST(RoundMean, EachGradientOfTheWarmStartIsAStep) {
  Vector x(Sgd(1), {.pushes = 2, .warm_start = 3});
  x.Step({1}, 1);
  x.Step({2}, 3);
  EXPECT_THAT(x.parameters, ElementsAre(-3));
  x.Step({4}, 4);
  EXPECT_THAT(x.parameters, ElementsAre(-3));
  x.Step({6}, 4);
  EXPECT_THAT(x.parameters, ElementsAre(-8));
}

// The first element gets one gradient more than the others, as from a push that broke off.
TEST(RoundMean, EachElementHasItsOwnCount) {
  Vector x(Sgd(1), {.pushes = 2}, 3);
  x.Step({8});
  x.Step({{2, 2, 2}});
  EXPECT_THAT(x.parameters, ElementsAre(-5, 0, 0));
  x.Step({{4, 4, 6}});
  EXPECT_THAT(x.parameters, ElementsAre(-5, -3, -4));
  x.Step({{6, 1, 1}}, 2);
  EXPECT_THAT(x.parameters, ElementsAre(-10, -3, -4));
}

TEST(RoundMean, ASumThatOverflowsStaysFinite) {
  Vector x(Sgd(1), {.pushes = 3});
  for (int t = 0; t < 3; ++t) x.Step({3e38f});
  EXPECT_FLOAT_EQ(x.parameters[0], -3.40282347e38f / 3);
}

TEST(RoundMean, PiecesGiveTheBitsOfTheWhole) {
  constexpr size_t kElements = 1531;
  Random random(7);
  Vector whole(OptimizerDescription(), {.pushes = 3, .warm_start = 2}, kElements);
  Vector pieces(OptimizerDescription(), {.pushes = 3, .warm_start = 2}, kElements);
  std::vector<float> gradient(kElements);
  for (uint64_t push = 0; push < 40; ++push) {
    const uint64_t update = Rounds{.pushes = 3, .warm_start = 2}.UpdatesAt(push) + 1;
    for (float& g : gradient) g = static_cast<float>(random.Normal());
    whole.Step(gradient, update);
    for (size_t begin = 0, size; begin < kElements; begin += size) {
      size = std::min<size_t>(kElements - begin, 1 + random.Below(200));
      pieces.Step(absl::MakeConstSpan(gradient).subspan(begin, size), update, begin);
    }
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
      return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    ASSERT_TRUE(same(whole.parameters, pieces.parameters)) << push;
    for (size_t k = 0; k < whole.state.size(); ++k)
      ASSERT_TRUE(same(whole.state[k], pieces.state[k])) << push;
  }
}

}  // namespace
}  // namespace downpour
