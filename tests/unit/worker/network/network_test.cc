// Where on the data's way: inside the network; every layer, parameter and nonlinearity against a
// double-precision reference, and that against finite differences.
#include "worker/network/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "common/layout/network_layout.h"
#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "tests/testing/every_nonlinearity.h"
#include "tests/unit/worker/network/reference_network.h"
#include "worker/network/precision.h"

namespace downpour {
namespace {

using Nonlinearity = NetworkDescription::Nonlinearity;

constexpr int64_t kInputs = 7;
constexpr int64_t kClasses = 5;
constexpr int64_t kFrames = 6;

NetworkDescription Describe(std::vector<int32_t> widths, Nonlinearity nonlinearity,
                            NetworkDescription::Precision precision = NetworkDescription::FLOAT32) {
  NetworkDescription description;
  description.mutable_hidden_width()->Add(widths.begin(), widths.end());
  description.set_nonlinearity(nonlinearity);
  description.set_precision(precision);
  return description;
}

std::unique_ptr<Network> MakeNetwork(const NetworkDescription& description, int threads = 1,
                                     int64_t inputs = kInputs, int64_t classes = kClasses,
                                     int64_t max_frames = kFrames) {
  auto network = Network::Create({.network = description,
                                  .input_dim = inputs,
                                  .classes = classes,
                                  .max_frames = max_frames,
                                  .threads = threads});
  EXPECT_TRUE(network.ok()) << network.status();
  return *std::move(network);
}

Minibatch RandomMinibatch(int64_t frames, int64_t inputs, int64_t classes, uint64_t seed) {
  Random random(seed);
  Minibatch minibatch;
  minibatch.frames = frames;
  for (int64_t i = 0; i < frames * inputs; ++i)
    minibatch.inputs.push_back(static_cast<float>(random.Normal()));
  for (int64_t i = 0; i < frames; ++i)
    minibatch.labels.push_back(static_cast<int32_t>(random.Below(classes)));
  return minibatch;
}

// Biases too are random, so that no parameter's gradient is checked at a special point.
std::vector<float> RandomParameters(int64_t size, uint64_t seed, double scale = 0.5) {
  Random random(seed);
  std::vector<float> parameters(size);
  for (float& parameter : parameters) parameter = static_cast<float>(scale * random.Normal());
  return parameters;
}

double Norm(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value * value;
  return std::sqrt(sum);
}

class GradientTest : public ::testing::TestWithParam<std::tuple<Nonlinearity, std::vector<int32_t>>> {
 protected:
  NetworkDescription Description(NetworkDescription::Precision precision) const {
    return Describe(std::get<1>(GetParam()), std::get<0>(GetParam()), precision);
  }

  // Compares loss and, tensor by tensor, gradient with the reference, in units of the reference's norm.
  void ExpectNearReference(Network& network, double tolerance) {
    const std::vector<float> parameters = RandomParameters(network.layout().size(), 1);
    const Minibatch minibatch = RandomMinibatch(kFrames, kInputs, kClasses, 2);
    std::vector<float> gradient(parameters.size(), std::numeric_limits<float>::quiet_NaN());
    const auto result = network.ComputeGradient(parameters, minibatch, absl::MakeSpan(gradient));
    ASSERT_TRUE(result.ok()) << result.status();

    const ReferenceNetwork reference(network.layout(), std::get<0>(GetParam()));
    std::vector<double> wanted(parameters.size());
    const double loss = reference.Loss({parameters.begin(), parameters.end()}, minibatch, &wanted);
    EXPECT_NEAR(result->loss_sum / kFrames, loss, tolerance * loss);
    for (const ParameterLayout::Tensor& tensor : network.layout().tensors()) {
      const std::vector<double> part(&wanted[tensor.keys.begin],
                                     &wanted[tensor.keys.begin] + tensor.keys.size());
      std::vector<double> difference = part;
      for (int64_t i = 0; i < tensor.keys.size(); ++i) difference[i] -= gradient[tensor.keys.begin + i];
      EXPECT_GT(Norm(part), 0) << tensor.name;
      EXPECT_LE(Norm(difference), tolerance * Norm(part)) << tensor.name;
    }
  }
};

TEST_P(GradientTest, ReferenceAgreesWithCentralDifferences) {
  const auto& [nonlinearity, widths] = GetParam();
  const auto layout = NetworkLayout(Describe(widths, nonlinearity), kInputs, kClasses);
  ASSERT_TRUE(layout.ok());
  const std::vector<float> start = RandomParameters(layout->size(), 1);
  std::vector<double> parameters(start.begin(), start.end());
  const Minibatch minibatch = RandomMinibatch(kFrames, kInputs, kClasses, 2);
  const ReferenceNetwork reference(*layout, nonlinearity);
  std::vector<double> gradient(parameters.size());
  reference.Loss(parameters, minibatch, &gradient);
  constexpr double kStep = 1e-5;
  for (size_t key = 0; key < parameters.size(); ++key) {
    const double value = parameters[key];
    parameters[key] = value + kStep;
    const double above = reference.Loss(parameters, minibatch, nullptr);
    parameters[key] = value - kStep;
    const double below = reference.Loss(parameters, minibatch, nullptr);
    parameters[key] = value;
    EXPECT_NEAR(gradient[key], (above - below) / (2 * kStep), 1e-6 * std::max(1.0, std::abs(gradient[key])))
        << key;
  }
}

TEST_P(GradientTest, Float32AgreesWithReference) {
  ExpectNearReference(*MakeNetwork(Description(NetworkDescription::FLOAT32)), 1e-4);
}

// bfloat16 keeps 8 bits: each of a product's factors is off by up to 2^-9 = 0.002 of itself.
TEST_P(GradientTest, Bfloat16AgreesWithReferenceToTwoDigits) {
  if (CpuBfloat16Support() == Bfloat16Support::kNone) GTEST_SKIP() << "this CPU has no bfloat16 instructions";
  const std::unique_ptr<Network> network = MakeNetwork(Description(NetworkDescription::BFLOAT16));
  EXPECT_EQ(network->precision(), "bfloat16");
  ExpectNearReference(*network, 0.02);
}

INSTANTIATE_TEST_SUITE_P(AllNonlinearitiesAndDepths, GradientTest,
                         ::testing::Combine(::testing::ValuesIn(EveryNonlinearity()),
                                            ::testing::Values(std::vector<int32_t>{}, std::vector<int32_t>{9},
                                                              std::vector<int32_t>{9, 4, 11, 6})),
                         [](const auto& info) {
                           return NetworkDescription::Nonlinearity_Name(std::get<0>(info.param)) + "With" +
                                  std::to_string(std::get<1>(info.param).size()) + "HiddenLayers";
                         });

// One input, no hidden layer, classes 0 and 1 with scores 2x and 0: loss of label 0 at x = 1 is log(1
// + e^-2).
TEST(NetworkTest, LossAndGradientOfHandComputedFrames) {
  const auto network = MakeNetwork(Describe({}, NetworkDescription::RELU), 1, 1, 2);
  const std::vector<float> parameters = {2, 0, 0, 0};
  const Minibatch minibatch = {2, {1, 1}, {0, 1}};
  std::vector<float> gradient(4);
  const auto result = network->ComputeGradient(parameters, minibatch, absl::MakeSpan(gradient));
  ASSERT_TRUE(result.ok());
  EXPECT_NEAR(result->loss_sum, 0.126928011 + 2.126928011, 1e-6);
  EXPECT_EQ(result->correct, 1);
  const float mean = (0.880797078 - 1 + 0.880797078) / 2;  // of p(0) - [label is 0]
  for (size_t key = 0; key < 4; ++key) EXPECT_NEAR(gradient[key], key % 2 == 0 ? mean : -mean, 1e-6) << key;
}

TEST(NetworkTest, LossScaleScalesTheGradientAndNotTheLoss) {
  NetworkDescription description = Describe({4}, NetworkDescription::TANH);
  const auto plain_network = MakeNetwork(description);
  description.set_loss_scale(10);
  const auto scaled_network = MakeNetwork(description);
  const std::vector<float> parameters = RandomParameters(plain_network->layout().size(), 5);
  const Minibatch minibatch = RandomMinibatch(kFrames, kInputs, kClasses, 6);
  std::vector<float> plain(parameters.size()), scaled(parameters.size());
  const auto plain_result = plain_network->ComputeGradient(parameters, minibatch, absl::MakeSpan(plain));
  const auto scaled_result = scaled_network->ComputeGradient(parameters, minibatch, absl::MakeSpan(scaled));
  ASSERT_TRUE(plain_result.ok() && scaled_result.ok());
  EXPECT_EQ(plain_result->loss_sum, scaled_result->loss_sum);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(scaled[i], 10 * plain[i], 1e-5) << i;
}

TEST(NetworkTest, ZeroParametersGiveLogClassesAndTiesGoToTheLowestClass) {
  const auto network = MakeNetwork(Describe({4}, NetworkDescription::TANH));
  const std::vector<float> parameters(network->layout().size());
  Minibatch minibatch = RandomMinibatch(kFrames, kInputs, kClasses, 3);
  minibatch.labels = {0, 1, 2, 3, 4, 0};
  std::vector<int32_t> predictions;
  const auto result = network->Evaluate(parameters, minibatch, &predictions);
  ASSERT_TRUE(result.ok());
  EXPECT_NEAR(result->loss_sum, kFrames * std::log(kClasses), 1e-6);
  EXPECT_EQ(result->correct, 2);
  EXPECT_EQ(predictions, std::vector<int32_t>(kFrames, 0));
}

TEST(NetworkTest, EvaluateAgreesWithComputeGradientBitForBit) {
  const auto network = MakeNetwork(Describe({9, 8}, NetworkDescription::RELU));
  const std::vector<float> parameters = RandomParameters(network->layout().size(), 4);
  std::vector<float> gradient(parameters.size());
  for (int64_t frames : {kFrames, int64_t{1}, int64_t{4}}) {
    const Minibatch minibatch = RandomMinibatch(frames, kInputs, kClasses, frames);
    const auto trained = network->ComputeGradient(parameters, minibatch, absl::MakeSpan(gradient));
    const auto evaluated = network->Evaluate(parameters, minibatch, nullptr);
    ASSERT_TRUE(trained.ok() && evaluated.ok());
    EXPECT_EQ(trained->loss_sum, evaluated->loss_sum);
    EXPECT_EQ(trained->correct, evaluated->correct);
  }
}

// In either precision of the products, bit for bit.
TEST(NetworkTest, Bfloat16ParametersGiveWhatTheirFloatsGive) {
  for (const auto precision : {NetworkDescription::FLOAT32, NetworkDescription::AUTO}) {
    const auto network =
        MakeNetwork(Describe({200, 150}, NetworkDescription::LOGISTIC, precision), 1, 90, 300, 64);
    std::vector<float> parameters = RandomParameters(network->layout().size(), 5, 0.1);
    std::vector<uint16_t> rounded(parameters.size());
    ToBfloat16(parameters, absl::MakeSpan(rounded));
    FromBfloat16(rounded, absl::MakeSpan(parameters));
    const Minibatch minibatch = RandomMinibatch(64, 90, 300, 6);
    std::vector<float> of_floats(parameters.size()), of_bfloats(parameters.size());
    const auto floats = network->ComputeGradient(parameters, minibatch, absl::MakeSpan(of_floats));
    const auto bfloats = network->ComputeGradient(TensorView(rounded), minibatch, absl::MakeSpan(of_bfloats));
    ASSERT_TRUE(floats.ok() && bfloats.ok());
    EXPECT_EQ(floats->loss_sum, bfloats->loss_sum);
    EXPECT_EQ(of_floats, of_bfloats);
    EXPECT_FALSE(network
                     ->ComputeGradient(TensorView(absl::MakeSpan(rounded).subspan(1)), minibatch,
                                       absl::MakeSpan(of_bfloats))
                     .ok());
  }
}

// Layers of 3 and of 3.1 blocks of rows, and one of less than one block.
TEST(NetworkTest, GivesTheGradientInBfloat16WhereAsked) {
  for (const int threads : {1, 2}) {
    const auto network = MakeNetwork(Describe({192, 200}, NetworkDescription::RELU), threads, 90, 30, 64);
    const std::vector<float> parameters = RandomParameters(network->layout().size(), 5, 0.1);
    const Minibatch minibatch = RandomMinibatch(64, 90, 30, 6);
    std::vector<float> floats(parameters.size());
    std::vector<uint16_t> bfloats(parameters.size()), wanted(parameters.size());
    ASSERT_TRUE(network->ComputeGradient(parameters, minibatch, absl::MakeSpan(floats)).ok());
    ASSERT_TRUE(
        network->ComputeGradient(parameters, minibatch, MutableTensorView(absl::MakeSpan(bfloats))).ok());
    ToBfloat16(floats, absl::MakeSpan(wanted));
    EXPECT_EQ(bfloats, wanted);
  }
}

// Wide enough for oneDNN to use its blocked kernels and, with two threads, both of them.
TEST(NetworkTest, SameInputGivesSameBitsWhateverCameBetween) {
  for (int threads : {1, 2}) {
    const auto network = MakeNetwork(
        Describe({200, 150}, NetworkDescription::LOGISTIC, NetworkDescription::AUTO), threads, 90, 300, 64);
    const std::vector<float> parameters = RandomParameters(network->layout().size(), 5, 0.1);
    const Minibatch minibatch = RandomMinibatch(64, 90, 300, 6);
    std::vector<float> first(parameters.size()), other(parameters.size()), again(parameters.size());
    const auto before = network->ComputeGradient(parameters, minibatch, absl::MakeSpan(first));
    ASSERT_TRUE(network
                    ->ComputeGradient(RandomParameters(network->layout().size(), 7, 0.1),
                                      RandomMinibatch(33, 90, 300, 8), absl::MakeSpan(other))
                    .ok());
    const auto after = network->ComputeGradient(parameters, minibatch, absl::MakeSpan(again));
    ASSERT_TRUE(before.ok() && after.ok());
    EXPECT_EQ(before->loss_sum, after->loss_sum);
    EXPECT_EQ(first, again);
    EXPECT_NE(first, other);
  }
}

TEST(NetworkTest, HugeScoresStayFinite) {
  const auto network = MakeNetwork(Describe({}, NetworkDescription::RELU), 1, 1, 3);
  const std::vector<float> parameters = {1e30f, -1e30f, 0, 0, 0, 0};
  std::vector<float> gradient(6);
  const auto result = network->ComputeGradient(parameters, {1, {1}, {0}}, absl::MakeSpan(gradient));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->loss_sum, 0);
  EXPECT_TRUE(result->finite);
  EXPECT_TRUE(std::all_of(gradient.begin(), gradient.end(), [](float g) { return g == 0; }));
}

TEST(NetworkTest, NonFiniteValuesGiveNonFiniteLossAndGradient) {
  for (Nonlinearity nonlinearity : EveryNonlinearity()) {
    const auto network = MakeNetwork(Describe({9}, nonlinearity));
    const std::vector<float> parameters = RandomParameters(network->layout().size(), 9);
    const Minibatch minibatch = RandomMinibatch(kFrames, kInputs, kClasses, 10);
    const auto expect_non_finite = [&](const std::vector<float>& bad_parameters,
                                       const Minibatch& bad_minibatch) {
      std::vector<float> gradient(parameters.size());
      const auto result = network->ComputeGradient(bad_parameters, bad_minibatch, absl::MakeSpan(gradient));
      ASSERT_TRUE(result.ok());
      EXPECT_FALSE(result->finite) << NetworkDescription::Nonlinearity_Name(nonlinearity);
      EXPECT_FALSE(std::isfinite(result->loss_sum)) << NetworkDescription::Nonlinearity_Name(nonlinearity);
      EXPECT_FALSE(std::all_of(gradient.begin(), gradient.end(), [](float g) { return std::isfinite(g); }));
    };
    std::vector<float> bad_parameters = parameters;
    bad_parameters[3] = std::numeric_limits<float>::quiet_NaN();
    expect_non_finite(bad_parameters, minibatch);
    Minibatch bad_minibatch = minibatch;
    bad_minibatch.inputs[kInputs + 2] = std::numeric_limits<float>::quiet_NaN();
    expect_non_finite(parameters, bad_minibatch);
  }
}

TEST(NetworkTest, RefusesInputThatDoesNotFit) {
  const auto network = MakeNetwork(Describe({9}, NetworkDescription::RELU));
  const std::vector<float> parameters(network->layout().size());
  std::vector<float> gradient(parameters.size());
  const auto refusal = [&](const Minibatch& minibatch) {
    const auto result = network->ComputeGradient(parameters, minibatch, absl::MakeSpan(gradient));
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(network->Evaluate(parameters, minibatch, nullptr).status(), result.status());
    return std::string(result.status().message());
  };
  Minibatch minibatch = RandomMinibatch(kFrames, kInputs, kClasses, 11);
  minibatch.labels[2] = kClasses;
  EXPECT_EQ(refusal(minibatch), "label 5 of the minibatch's frame 2, want 0 to 4");
  minibatch.labels[2] = -1;
  EXPECT_EQ(refusal(minibatch), "label -1 of the minibatch's frame 2, want 0 to 4");
  EXPECT_EQ(refusal(RandomMinibatch(kFrames + 1, kInputs, kClasses, 11)),
            "a minibatch of 7 frames, want 1 to 6");
  EXPECT_EQ(refusal(Minibatch()), "a minibatch of 0 frames, want 1 to 6");
  EXPECT_EQ(refusal(RandomMinibatch(kFrames, kInputs - 1, kClasses, 11)),
            "a minibatch of 6 frames with 36 inputs and 6 labels, want 7 and 1 a frame");
  const Minibatch good = RandomMinibatch(kFrames, kInputs, kClasses, 11);
  EXPECT_FALSE(
      network->ComputeGradient(absl::MakeSpan(parameters).subspan(1), good, absl::MakeSpan(gradient)).ok());
  EXPECT_FALSE(network->ComputeGradient(parameters, good, absl::MakeSpan(gradient).subspan(1)).ok());
}

TEST(NetworkTest, CreateRefusesWhatIsBelowOne) {
  const NetworkDescription description = Describe({9}, NetworkDescription::RELU);
  for (const auto& [inputs, classes, frames, threads] :
       std::vector<std::tuple<int, int, int, int>>{{0, 5, 6, 1}, {7, 0, 6, 1}, {7, 5, 0, 1}, {7, 5, 6, 0}}) {
    EXPECT_EQ(Network::Create({.network = description,
                               .input_dim = inputs,
                               .classes = classes,
                               .max_frames = frames,
                               .threads = threads})
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace downpour
