// Where on the data's way: inside the network; curvature and squares against their definitions, in double
// precision: the recursion as Becker & LeCun wrote it, differences of the gradient, and single frames.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "common/layout/network_layout.h"
#include "common/random.h"
#include "tests/testing/every_nonlinearity.h"
#include "tests/unit/worker/network/reference_network.h"
#include "worker/network/network.h"
#include "worker/network/precision.h"

namespace downpour {
namespace {

using Nonlinearity = NetworkDescription::Nonlinearity;

constexpr int64_t kInputs = 6;
constexpr int64_t kClasses = 4;
constexpr int64_t kFrames = 5;

NetworkDescription Describe(std::vector<int32_t> widths, Nonlinearity nonlinearity,
                            NetworkDescription::Curvature curvature) {
  NetworkDescription description;
  description.mutable_hidden_width()->Add(widths.begin(), widths.end());
  description.set_nonlinearity(nonlinearity);
  description.set_precision(NetworkDescription::FLOAT32);
  description.set_curvature(curvature);
  return description;
}

std::unique_ptr<Network> MakeNetwork(const NetworkDescription& description) {
  return *Network::Create(
      {.network = description, .input_dim = kInputs, .classes = kClasses, .max_frames = kFrames});
}

Minibatch RandomMinibatch() {
  Random random(2);
  Minibatch minibatch;
  minibatch.frames = kFrames;
  for (int64_t i = 0; i < kFrames * kInputs; ++i)
    minibatch.inputs.push_back(static_cast<float>(random.Normal()));
  for (int64_t i = 0; i < kFrames; ++i)
    minibatch.labels.push_back(static_cast<int32_t>(random.Below(kClasses)));
  return minibatch;
}

// Dense, or so that each unit feeds one unit of the layer above: then nothing that the recursion leaves out
// is there, and it gives the Hessian's diagonal.
std::vector<float> RandomParameters(const ParameterLayout& layout, bool each_feeds_one) {
  Random random(1);
  std::vector<float> parameters(layout.size());
  for (float& parameter : parameters) parameter = static_cast<float>(0.7 * random.Normal());
  for (size_t tensor = 2; each_feeds_one && tensor < layout.tensors().size(); tensor += 2) {
    const ParameterLayout::Tensor& weights = layout.tensors()[tensor];
    for (int64_t row = 0; row < weights.shape[0]; ++row) {
      for (int64_t column = 0; column < weights.shape[1]; ++column)
        if (column % weights.shape[0] != row)
          parameters[weights.keys.begin + row * weights.shape[1] + column] = 0;
    }
  }
  return parameters;
}

std::vector<double> Widen(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// The planes of one call: gradient, curvature, squares.
std::vector<std::vector<float>> Planes(Network& network, const std::vector<float>& parameters,
                                       const Minibatch& minibatch) {
  const size_t size = parameters.size();
  std::vector<float> planes(3 * size, -1);
  const auto result = network.ComputeGradient(parameters, minibatch, absl::MakeSpan(planes));
  EXPECT_TRUE(result.ok() && result->finite) << result.status();
  return {{planes.begin(), planes.begin() + size},
          {planes.begin() + size, planes.begin() + 2 * size},
          {planes.begin() + 2 * size, planes.end()}};
}

// d^2 loss / d parameter^2 by central differences of the reference's gradient.
std::vector<double> DifferencesOfGradient(const ReferenceNetwork& reference, std::vector<double> parameters,
                                          const Minibatch& minibatch) {
  constexpr double kStep = 1e-5;
  std::vector<double> second(parameters.size());
  for (size_t key = 0; key < parameters.size(); ++key) {
    const double value = parameters[key];
    std::vector<double> above(parameters.size()), below(parameters.size());
    parameters[key] = value + kStep;
    reference.Loss(parameters, minibatch, &above);
    parameters[key] = value - kStep;
    reference.Loss(parameters, minibatch, &below);
    parameters[key] = value;
    second[key] = (above[key] - below[key]) / (2 * kStep);
  }
  return second;
}

class CurvatureTest : public ::testing::TestWithParam<std::tuple<Nonlinearity, std::vector<int32_t>>> {
 protected:
  NetworkDescription Description(NetworkDescription::Curvature curvature) const {
    return Describe(std::get<1>(GetParam()), std::get<0>(GetParam()), curvature);
  }
};

TEST_P(CurvatureTest, FullFormIsTheDerivativeOfTheGradientWhereUnitsFeedOneEach) {
  const auto network = MakeNetwork(Description(NetworkDescription::FULL));
  const std::vector<float> parameters = RandomParameters(network->layout(), /*each_feeds_one=*/true);
  const Minibatch minibatch = RandomMinibatch();
  const std::vector<float> curvature = Planes(*network, parameters, minibatch)[1];
  const ReferenceNetwork reference(network->layout(), std::get<0>(GetParam()));
  const std::vector<double> wanted = DifferencesOfGradient(reference, Widen(parameters), minibatch);
  for (size_t key = 0; key < wanted.size(); ++key)
    EXPECT_NEAR(curvature[key], wanted[key], 2e-6 * std::max(1.0, std::abs(wanted[key]))) << key;
}

TEST_P(CurvatureTest, TopLayerIsExactInAnyNetworkAndForm) {
  const auto network = MakeNetwork(Description(NetworkDescription::GAUSS_NEWTON));
  const std::vector<float> parameters = RandomParameters(network->layout(), /*each_feeds_one=*/false);
  const Minibatch minibatch = RandomMinibatch();
  const std::vector<float> curvature = Planes(*network, parameters, minibatch)[1];
  const ReferenceNetwork reference(network->layout(), std::get<0>(GetParam()));
  const std::vector<double> wanted = DifferencesOfGradient(reference, Widen(parameters), minibatch);
  const auto& tensors = network->layout().tensors();
  for (int64_t key = tensors[tensors.size() - 2].keys.begin; key < network->layout().size(); ++key)
    EXPECT_NEAR(curvature[key], wanted[key], 2e-6 * std::max(1.0, std::abs(wanted[key]))) << key;
}

// The Gauss-Newton form is what is left of the full one where f is a line through each unit's value: then the
// differences have no f'' in them, and it is never negative.
TEST_P(CurvatureTest, GaussNewtonFormLeavesOutTheSecondDerivativeAndIsNeverNegative) {
  const auto network = MakeNetwork(Description(NetworkDescription::GAUSS_NEWTON));
  const auto full = MakeNetwork(Description(NetworkDescription::FULL));
  for (const bool each_feeds_one : {true, false}) {
    const std::vector<float> parameters = RandomParameters(network->layout(), each_feeds_one);
    const auto planes = Planes(*network, parameters, RandomMinibatch());
    const auto full_planes = Planes(*full, parameters, RandomMinibatch());
    for (const float h : planes[1]) EXPECT_GE(h, 0);
    const bool same = planes[1] == full_planes[1];
    EXPECT_EQ(same, std::get<0>(GetParam()) == NetworkDescription::RELU || std::get<1>(GetParam()).empty());
    EXPECT_EQ(planes[0], full_planes[0]);
  }
}

TEST_P(CurvatureTest, SquaresAreTheMeanOfSquaredGradientsOfSingleFrames) {
  const auto network = MakeNetwork(Description(NetworkDescription::GAUSS_NEWTON));
  const std::vector<float> parameters = RandomParameters(network->layout(), /*each_feeds_one=*/false);
  const Minibatch minibatch = RandomMinibatch();
  const auto planes = Planes(*network, parameters, minibatch);
  std::vector<double> squares(parameters.size()), curvature(parameters.size());
  for (int64_t i = 0; i < kFrames; ++i) {
    const auto inputs = minibatch.inputs.begin() + i * kInputs;
    const auto frame = Planes(*network, parameters, {1, {inputs, inputs + kInputs}, {minibatch.labels[i]}});
    for (size_t key = 0; key < squares.size(); ++key) {
      squares[key] += double{frame[0][key]} * frame[0][key] / kFrames;
      curvature[key] += double{frame[1][key]} / kFrames;
    }
  }
  for (size_t key = 0; key < squares.size(); ++key) {
    EXPECT_NEAR(planes[2][key], squares[key], 1e-4 * squares[key] + 1e-9) << key;
    EXPECT_NEAR(planes[1][key], curvature[key], 1e-4 * curvature[key] + 1e-9) << key;
  }
}

TEST_P(CurvatureTest, AScaledLossScalesThem) {
  NetworkDescription description = Description(NetworkDescription::FULL);
  const auto network = MakeNetwork(description);
  description.set_loss_scale(8);
  const auto scaled_network = MakeNetwork(description);
  const std::vector<float> parameters = RandomParameters(network->layout(), /*each_feeds_one=*/false);
  const auto plain = Planes(*network, parameters, RandomMinibatch());
  const auto scaled = Planes(*scaled_network, parameters, RandomMinibatch());
  for (size_t key = 0; key < parameters.size(); ++key) {
    EXPECT_NEAR(scaled[1][key], 8 * plain[1][key], 1e-5 * std::abs(scaled[1][key]) + 1e-7) << key;
    EXPECT_NEAR(scaled[2][key], 64 * plain[2][key], 1e-5 * scaled[2][key] + 1e-9) << key;
  }
}

TEST_P(CurvatureTest, GradientHasTheSameBitsWithAndWithoutThem) {
  const auto network = MakeNetwork(Description(NetworkDescription::GAUSS_NEWTON));
  const std::vector<float> parameters = RandomParameters(network->layout(), /*each_feeds_one=*/false);
  std::vector<float> alone(parameters.size());
  ASSERT_TRUE(network->ComputeGradient(parameters, RandomMinibatch(), absl::MakeSpan(alone)).ok());
  EXPECT_EQ(Planes(*network, parameters, RandomMinibatch())[0], alone);
}

INSTANTIATE_TEST_SUITE_P(AllNonlinearitiesAndDepths, CurvatureTest,
                         ::testing::Combine(::testing::ValuesIn(EveryNonlinearity()),
                                            ::testing::Values(std::vector<int32_t>{}, std::vector<int32_t>{4},
                                                              std::vector<int32_t>{8, 6, 4})),
                         [](const auto& info) {
                           return NetworkDescription::Nonlinearity_Name(std::get<0>(info.param)) + "With" +
                                  std::to_string(std::get<1>(info.param).size()) + "HiddenLayers";
                         });

// The recursion for tanh units as Becker & LeCun wrote it, unit by unit; adds `weight` times a frame's.
void AddFrame(const ParameterLayout& layout, const std::vector<float>& parameters, bool full, double weight,
              std::vector<double> input, int32_t label, std::vector<double>* curvature) {
  const size_t layers = layout.tensors().size() / 2;
  std::vector<std::vector<double>> x = {std::move(input)};  // of each layer; the last holds the scores
  for (size_t l = 0; l < layers; ++l) {
    const auto& weights = layout.tensors()[2 * l];
    std::vector<double>& y = x.emplace_back();
    for (int64_t i = 0; i < weights.shape[0]; ++i) {
      double a = parameters[layout.tensors()[2 * l + 1].keys.begin + i];
      for (size_t j = 0; j < x[l].size(); ++j)
        a += parameters[weights.keys.begin + i * x[l].size() + j] * x[l][j];
      y.push_back(l + 1 < layers ? std::tanh(a) : a);
    }
  }
  double sum = 0;
  for (const double score : x.back()) sum += std::exp(score);
  std::vector<double> g, h;  // d loss / d a, and the second derivative
  for (size_t i = 0; i < x.back().size(); ++i) {
    const double p = std::exp(x.back()[i]) / sum;
    g.push_back(p - (static_cast<int32_t>(i) == label ? 1 : 0));
    h.push_back(p * (1 - p));
  }
  for (size_t l = layers; l-- > 0;) {
    const int64_t begin = layout.tensors()[2 * l].keys.begin;
    std::vector<double> g_below(x[l].size()), h_below(x[l].size());
    for (size_t i = 0; i < g.size(); ++i) {
      (*curvature)[layout.tensors()[2 * l + 1].keys.begin + i] += weight * h[i];
      for (size_t j = 0; j < x[l].size(); ++j) {
        const double w = parameters[begin + i * x[l].size() + j];
        (*curvature)[begin + i * x[l].size() + j] += weight * h[i] * x[l][j] * x[l][j];
        g_below[j] += w * g[i];
        h_below[j] += w * w * h[i];
      }
    }
    for (size_t j = 0; j < x[l].size(); ++j) {
      const double first = 1 - x[l][j] * x[l][j], second = -2 * x[l][j] * first;
      h_below[j] = first * first * h_below[j] + (full ? second * g_below[j] : 0);
      g_below[j] *= first;
    }
    g = g_below;
    h = h_below;
  }
}

TEST(CurvatureRecursion, AgreesUnitByUnitInADenseNetwork) {
  for (const auto form : {NetworkDescription::GAUSS_NEWTON, NetworkDescription::FULL}) {
    const auto network = MakeNetwork(Describe({8, 6, 4}, NetworkDescription::TANH, form));
    const std::vector<float> parameters = RandomParameters(network->layout(), /*each_feeds_one=*/false);
    const Minibatch minibatch = RandomMinibatch();
    std::vector<double> wanted(parameters.size());
    for (int64_t i = 0; i < kFrames; ++i) {
      const auto inputs = minibatch.inputs.begin() + i * kInputs;
      AddFrame(network->layout(), parameters, form == NetworkDescription::FULL, 1.0 / kFrames,
               {inputs, inputs + kInputs}, minibatch.labels[i], &wanted);
    }
    const std::vector<float> seen = Planes(*network, parameters, minibatch)[1];
    for (size_t key = 0; key < wanted.size(); ++key)
      EXPECT_NEAR(seen[key], wanted[key], 1e-4 * std::abs(wanted[key]) + 1e-6) << key;
  }
}

TEST(CurvatureOfBfloat16, AgreesToTwoDigits) {
  if (CpuBfloat16Support() == Bfloat16Support::kNone) GTEST_SKIP() << "this CPU has no bfloat16 instructions";
  NetworkDescription description = Describe({8}, NetworkDescription::TANH, NetworkDescription::GAUSS_NEWTON);
  const auto exact = MakeNetwork(description);
  description.set_precision(NetworkDescription::BFLOAT16);
  const auto rounded = MakeNetwork(description);
  const std::vector<float> parameters = RandomParameters(exact->layout(), /*each_feeds_one=*/false);
  const auto wanted = Planes(*exact, parameters, RandomMinibatch());
  const auto seen = Planes(*rounded, parameters, RandomMinibatch());
  for (const size_t plane : {1, 2}) {
    const float most = *std::max_element(wanted[plane].begin(), wanted[plane].end());
    for (size_t key = 0; key < parameters.size(); ++key)
      EXPECT_NEAR(seen[plane][key], wanted[plane][key], 0.03 * most) << plane << " " << key;
  }
}

TEST(CurvatureSizes, AreRefusedWhereTheyAreNoWholeNumberOfPlanes) {
  const auto network = MakeNetwork(Describe({4}, NetworkDescription::TANH, NetworkDescription::FULL));
  const auto size = static_cast<size_t>(network->layout().size());
  const std::vector<float> parameters(size);
  for (const size_t elements : {size_t{0}, size - 1, size + 1, 2 * size + 1, 4 * size}) {
    std::vector<float> planes(elements);
    EXPECT_TRUE(absl::IsInvalidArgument(
        network->ComputeGradient(parameters, RandomMinibatch(), absl::MakeSpan(planes)).status()))
        << elements;
  }
}

}  // namespace
}  // namespace downpour
