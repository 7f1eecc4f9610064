// Where on the data's way: parameters come in, frame accuracy goes out; compared with counts made by hand.
#include "worker/evaluator/evaluator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"

namespace downpour {
namespace {

constexpr int32_t kFeatures = 3;
constexpr int32_t kClasses = 4;

// Three utterances with 30 frames in all, in windows of 1 + 1 + 1 frames. The labels are 0, 1, 2, 3, 0, ...
Dataset MakeDataset(std::vector<bool> silence_class) {
  Random random(1);
  std::vector<float> features(30 * kFeatures);
  for (float& feature : features) feature = static_cast<float>(random.Normal());
  std::vector<int32_t> labels;
  for (int i = 0; i < 30; ++i) labels.push_back(i % kClasses);
  return Dataset({{"a", 0, 5}, {"b", 5, 11}, {"c", 16, 14}}, std::move(features), std::move(labels),
                 kFeatures, 1, 1, std::move(silence_class));
}

std::unique_ptr<Network> MakeNetwork(int64_t max_frames) {
  NetworkDescription description;
  description.add_hidden_width(8);
  description.set_precision(NetworkDescription::FLOAT32);
  auto network = Network::Create(
      {.network = description, .input_dim = 3 * kFeatures, .classes = kClasses, .max_frames = max_frames});
  EXPECT_TRUE(network.ok()) << network.status();
  return *std::move(network);
}

std::vector<float> RandomParameters(const Network& network) {
  Random random(2);
  std::vector<float> parameters(network.layout().size());
  for (float& parameter : parameters) parameter = static_cast<float>(random.Normal());
  return parameters;
}

TestSetResult Evaluate(const Dataset& data, const std::vector<float>& parameters, int64_t max_frames,
                       std::vector<Network*> networks) {
  const auto result = EvaluateTestSet(data, parameters, max_frames, networks);
  EXPECT_TRUE(result.ok()) << result.status();
  return *result;
}

// With all parameters 0 every class is equally probable, and class 0 is predicted.
TEST(EvaluatorTest, ZeroParametersScoreClassZeroAndLogClasses) {
  const auto network = MakeNetwork(7);
  const std::vector<float> parameters(network->layout().size());
  const TestSetResult result =
      Evaluate(MakeDataset({false, true, true, false}), parameters, 0, {network.get()});
  EXPECT_EQ(result.frames(), 30);
  EXPECT_EQ(result.correct(), 8);             // frames 0, 4, ..., 28
  EXPECT_EQ(result.nonsilence_frames(), 15);  // classes 0 (8 frames) and 3 (7)
  EXPECT_EQ(result.nonsilence_correct(), 8);
  EXPECT_NEAR(result.loss_sum(), 30 * std::log(4), 1e-5);
}

TEST(EvaluatorTest, WithoutKnowledgeOfSilenceNonSilenceCountsStayZero) {
  const auto network = MakeNetwork(7);
  const TestSetResult result = Evaluate(MakeDataset({}), RandomParameters(*network), 0, {network.get()});
  EXPECT_EQ(result.frames(), 30);
  EXPECT_EQ(result.nonsilence_frames(), 0);
  EXPECT_EQ(result.nonsilence_correct(), 0);
}

TEST(EvaluatorTest, ADivergedNetworkHasCountsButNoLoss) {
  const auto network = MakeNetwork(7);
  const std::vector<float> parameters(network->layout().size(), 1e38f);
  const TestSetResult result = Evaluate(MakeDataset({}), parameters, 0, {network.get()});
  EXPECT_EQ(result.frames(), 30);
  EXPECT_FALSE(result.has_loss_sum());
}

TEST(EvaluatorTest, BitsDoNotDependOnTheNumberOfNetworks) {
  const Dataset data = MakeDataset({true, false, false, false});
  const auto a = MakeNetwork(4), b = MakeNetwork(4), c = MakeNetwork(4);
  const std::vector<float> parameters = RandomParameters(*a);
  const std::string one = Evaluate(data, parameters, 0, {a.get()}).SerializeAsString();
  EXPECT_EQ(Evaluate(data, parameters, 0, {a.get(), b.get()}).SerializeAsString(), one);
  EXPECT_EQ(Evaluate(data, parameters, 0, {a.get(), b.get(), c.get()}).SerializeAsString(), one);
}

TEST(EvaluatorTest, ScoresEveryWindowOfTheDataSet) {
  const Dataset data = MakeDataset({});
  const auto network = MakeNetwork(30);
  const std::vector<float> parameters = RandomParameters(*network);
  double loss = 0;
  int64_t correct = 0;
  for (const Dataset::Utterance& utterance : data.utterances()) {
    for (int64_t frame = 0; frame < utterance.frames; ++frame) {
      Minibatch minibatch{
          1, std::vector<float>(data.input_dim()), {data.label(utterance.first_frame + frame)}};
      data.CopyWindow(utterance, frame, absl::MakeSpan(minibatch.inputs));
      const auto result = network->Evaluate(parameters, minibatch, nullptr);
      ASSERT_TRUE(result.ok());
      loss += result->loss_sum;
      correct += result->correct;
    }
  }
  const TestSetResult result = Evaluate(data, parameters, 0, {network.get()});
  EXPECT_NEAR(result.loss_sum(), loss, 1e-4 * loss);
  EXPECT_EQ(result.correct(), correct);
}

// Scores 10 of 30 frames: rows 0, 3, 6, ..., 27, whose labels are 0, 3, 2, 1, 0, 3, 2, 1, 0, 3.
TEST(EvaluatorTest, MaxFramesAreTakenEvenly) {
  const auto network = MakeNetwork(4);
  const std::vector<float> parameters(network->layout().size());
  const Dataset data = MakeDataset({true, false, false, false});
  const TestSetResult result = Evaluate(data, parameters, 10, {network.get()});
  EXPECT_EQ(result.frames(), 10);
  EXPECT_EQ(result.correct(), 3);
  EXPECT_EQ(result.nonsilence_frames(), 7);
  EXPECT_EQ(Evaluate(data, parameters, 31, {network.get()}).frames(), 30);
}

TEST(EvaluatorTest, ALabelTheNetworkDoesNotKnowIsInvalid) {
  const auto network = MakeNetwork(4);
  const Dataset data({{"a", 0, 2}}, std::vector<float>(2 * kFeatures), {0, kClasses}, kFeatures, 1, 1, {});
  Network* networks[] = {network.get()};
  EXPECT_EQ(EvaluateTestSet(data, RandomParameters(*network), 0, networks).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace downpour
