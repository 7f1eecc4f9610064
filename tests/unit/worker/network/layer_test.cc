// Where on the data's way: inside the network; of every nonlinearity, f as a layer computes it and the f'
// that its backward pass multiplies by.
#include "worker/network/layer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <vector>

#include "tests/testing/every_nonlinearity.h"

namespace downpour {
namespace {

// A layer of one unit with weight 1 and bias 0 gives f of its inputs, a frame each.
class UnitLayer {
 public:
  UnitLayer(std::optional<NetworkDescription::Nonlinearity> nonlinearity, int64_t frames)
      : frames_(frames),
        layer_({.inputs = 1,
                .outputs = 1,
                .max_frames = frames,
                .weights = {0, 1},
                .bias = {1, 2},
                .nonlinearity = nonlinearity}) {}

  std::vector<float> Forward(const std::vector<float>& inputs) {
    EXPECT_TRUE(layer_.Forward(parameters_, inputs.data(), frames_, products_).ok());
    const absl::Span<const float> outputs = layer_.outputs(frames_);
    return {outputs.begin(), outputs.end()};
  }

  // f' at the last Forward()'s inputs.
  std::vector<float> Derivative() {
    std::vector<float> ones(frames_, 1);
    std::vector<float> gradient(2);
    EXPECT_TRUE(
        layer_.Backward(absl::MakeSpan(ones), nullptr, frames_, absl::MakeSpan(gradient), products_).ok());
    return ones;
  }

 private:
  const int64_t frames_;
  const std::vector<float> parameters_ = {1, 0};
  Layer layer_;
  MatrixProducts products_{NetworkDescription::FLOAT32};
};

class NonlinearLayerTest : public ::testing::TestWithParam<NetworkDescription::Nonlinearity> {};

TEST_P(NonlinearLayerTest, MultipliesByTheDerivativeOfWhatItComputes) {
  constexpr float kStep = 1.0f / 128;
  const std::vector<float> places = {-3, -1.5, -0.25, 0.125, 0.75, 2.5};  // none where a derivative jumps
  std::vector<float> inputs;
  for (const float z : places) inputs.insert(inputs.end(), {z - kStep, z, z + kStep});
  UnitLayer layer(GetParam(), static_cast<int64_t>(inputs.size()));
  const std::vector<float> y = layer.Forward(inputs);
  const std::vector<float> derivative = layer.Derivative();
  for (size_t i = 0; i < places.size(); ++i) {
    EXPECT_NEAR(derivative[3 * i + 1], (y[3 * i + 2] - y[3 * i]) / (2 * kStep), 1e-4) << places[i];
  }
}

TEST_P(NonlinearLayerTest, IsNotTheIdentityAndKeepsNan) {
  const std::vector<float> inputs = {-2, NAN};
  const std::vector<float> y = UnitLayer(GetParam(), 2).Forward(inputs);
  EXPECT_NE(y[0], -2);
  EXPECT_TRUE(std::isnan(y[1]));
}

INSTANTIATE_TEST_SUITE_P(EveryNonlinearity, NonlinearLayerTest, ::testing::ValuesIn(EveryNonlinearity()),
                         [](const auto& info) { return NetworkDescription::Nonlinearity_Name(info.param); });

TEST(LayerTest, WithoutANonlinearityIsTheIdentity) {
  UnitLayer layer(std::nullopt, 2);
  EXPECT_EQ(layer.Forward({-2, 3}), (std::vector<float>{-2, 3}));
  EXPECT_EQ(layer.Derivative(), (std::vector<float>{1, 1}));
}

}  // namespace
}  // namespace downpour
