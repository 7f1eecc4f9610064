// Where on the data's way: inside the shard; what is noted of an element is what its rule did with it.
#include "server/shard/element_sampler.h"

#include <cmath>
#include <memory>
#include <vector>

#include "common/wire/run_identity.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/parameter_shard.h"

namespace downpour {
namespace {

constexpr float kRho = 0.5f, kEpsilon = 1e-4f;

class ElementSamplerTest : public ::testing::Test {
 protected:
  static std::unique_ptr<ParameterShard> NewShard() {
    ParameterShard::Options options;
    options.layout = *ParameterLayout::Create({{"layer0/weights", {5, 4}}});
    options.run = {"run-1", options.layout.fingerprint()};
    options.range = {4, 20};
    options.optimizer.set_rho(kRho);
    options.optimizer.set_epsilon(kEpsilon);
    options.segment_elements = 3;
    return *ParameterShard::Create(options, std::vector<float>(16, 1));
  }
  SampleReply Take(std::vector<uint64_t> keys, uint64_t every) {
    SampleRequest request;
    FillRunIdentity(shard_->run(), request.mutable_run());
    request.mutable_key()->Add(keys.begin(), keys.end());
    request.set_every_updates(every);
    return *shard_->Sample(request);
  }
  void Push(float gradient) {
    ASSERT_TRUE(shard_->ApplyChunk({1, 1, ++sequence_, 0}, 4, std::vector<float>(16, gradient)).ok());
  }
  float Parameter(int64_t key) {
    float value = 0;
    EXPECT_TRUE(shard_->Read({key, key + 1}, absl::MakeSpan(&value, 1)).ok());
    return value;
  }

  const std::unique_ptr<ParameterShard> shard_ = NewShard();
  uint64_t sequence_ = 0;
};

// Equation 14 by hand: the numerator is that of the update before, the denominator has the gradient in it.
TEST_F(ElementSamplerTest, HasStepSizeAndChangeOfEquation14) {
  EXPECT_EQ(Take({7, 19}, 1).sample_size(), 0);
  Push(2);
  const float after_first = Parameter(7);
  Push(-3);
  const SampleReply reply = Take({7, 19}, 1);
  ASSERT_EQ(reply.sample_size(), 4);
  const double first = std::sqrt(kEpsilon) / std::sqrt(2 + kEpsilon);  // E[g^2] = 0.5 * 4
  EXPECT_EQ(reply.sample(0).update(), 1);
  EXPECT_EQ(reply.sample(0).key(), 7);
  EXPECT_EQ(reply.sample(1).key(), 19);
  EXPECT_NEAR(reply.sample(0).step_size(), first, 1e-6 * first);
  EXPECT_NEAR(reply.sample(0).change(), -2 * first, 1e-6);
  const double mean_dx2 = 0.5 * 4 * first * first;
  const double second = std::sqrt(mean_dx2 + kEpsilon) / std::sqrt(0.5 * 2 + 0.5 * 9 + kEpsilon);
  EXPECT_EQ(reply.sample(2).update(), 2);
  EXPECT_NEAR(reply.sample(2).step_size(), second, 1e-6 * second);
  EXPECT_NEAR(reply.sample(2).change(), 3 * second, 1e-6);
  EXPECT_FLOAT_EQ(Parameter(7), after_first + reply.sample(2).change());
}

TEST_F(ElementSamplerTest, AnElementWithoutGradientHasTheStepSizeOfAVerySmallOne) {
  Take({5}, 1);
  Push(0);
  const SampleReply reply = Take({5}, 1);
  ASSERT_EQ(reply.sample_size(), 1);
  EXPECT_EQ(reply.sample(0).change(), 0);
  EXPECT_FLOAT_EQ(reply.sample(0).step_size(), 1);  // sqrt(epsilon) / sqrt(epsilon)
}

TEST_F(ElementSamplerTest, NotesEverySoManyUpdatesAndForgetsWhenAskedForOthers) {
  Take({5}, 3);
  for (int push = 1; push <= 7; ++push) Push(1);
  const SampleReply third = Take({5}, 3);
  ASSERT_EQ(third.sample_size(), 2);
  EXPECT_EQ(third.sample(0).update(), 3);
  EXPECT_EQ(third.sample(1).update(), 6);
  for (int push = 8; push <= 9; ++push) Push(1);
  EXPECT_EQ(Take({6}, 3).sample_size(), 0);
  EXPECT_EQ(Take({6}, 1).sample_size(), 0);
  Push(1);
  EXPECT_EQ(Take({6}, 1).sample_size(), 1);
}

TEST_F(ElementSamplerTest, TrainingIsTheSameWhetherOneAsksOrNot) {
  const std::unique_ptr<ParameterShard> other = NewShard();
  Take({5, 9}, 1);
  for (const float gradient : {1.f, -2.f, 0.25f}) {
    Push(gradient);
    ASSERT_TRUE(other->ApplyChunk({1, 1, sequence_, 0}, 4, std::vector<float>(16, gradient)).ok());
  }
  EXPECT_EQ(shard_->Snapshot().parameters, other->Snapshot().parameters);
  EXPECT_EQ(shard_->Snapshot().state, other->Snapshot().state);
}

}  // namespace
}  // namespace downpour
