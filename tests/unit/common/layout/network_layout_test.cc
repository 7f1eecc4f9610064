// Where on the data's way: from the run description to tensors and initial values; sizes, limits and splits.
#include "common/layout/network_layout.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/layout/shard_map.h"
#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/every_nonlinearity.h"

namespace downpour {
namespace {

using ::testing::Each;

NetworkDescription Network(std::vector<int32_t> widths) {
  NetworkDescription network;
  for (int32_t width : widths) network.add_hidden_width(width);
  return network;
}

// Zeiler 2012, 4.4: 26 frames of 40 filterbank outputs, 4 hidden layers of 2560, 8,000 senones.
TEST(NetworkLayout, ThePapersNetworkHas42MillionParameters) {
  const ParameterLayout layout = *NetworkLayout(Network({2560, 2560, 2560, 2560}), int64_t{26} * 40, 8000);
  EXPECT_EQ(layout.size(), 42821440);
  EXPECT_EQ(layout.tensors().size(), 10);
  EXPECT_EQ(layout.Find("layer0/weights")->shape, (std::vector<int64_t>{2560, 1040}));
  EXPECT_EQ(layout.Find("layer4/weights")->shape, (std::vector<int64_t>{8000, 2560}));
  EXPECT_EQ(layout.Find("layer4/bias")->keys, (KeyRange{42813440, 42821440}));
}

TEST(NetworkLayout, WithoutHiddenLayersIsSoftmaxRegression) {
  const ParameterLayout layout = *NetworkLayout(Network({}), 784, 10);
  EXPECT_EQ(layout.size(), 7850);
}

TEST(NetworkLayout, RefusesADimensionBelowOne) {
  EXPECT_EQ(NetworkLayout(Network({}), 0, 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NetworkLayout(Network({}), 10, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NetworkLayout(Network({5, 0}), 10, 10).status().code(), absl::StatusCode::kInvalidArgument);
}

class InitialParameters : public ::testing::TestWithParam<NetworkDescription::Nonlinearity> {
 protected:
  const ParameterLayout layout_ = *NetworkLayout(Network({60, 80}), 50, 40);

  std::vector<float> Values(uint64_t seed, KeyRange keys, float weight_scale = 1) const {
    NetworkDescription network;
    network.set_nonlinearity(GetParam());
    network.set_weight_scale(weight_scale);
    std::vector<float> values(keys.size());
    InitializeParameters(layout_, network, seed, keys, absl::MakeSpan(values));
    return values;
  }

  static double DocumentedLimit(bool output_layer, double fan_in, double fan_out) {
    const double glorot = std::sqrt(6 / (fan_in + fan_out));
    if (output_layer) return glorot;
    switch (GetParam()) {
      case NetworkDescription::RELU:
        return std::sqrt(6 / fan_in);
      case NetworkDescription::LOGISTIC:
        return 4 * glorot;
      case NetworkDescription::TANH:
        return glorot;
    }
    return NAN;  // a value without a limit
  }
};

TEST_P(InitialParameters, AreTheSameBitsHoweverTheyAreSplit) {
  const std::vector<float> whole = Values(1, {0, layout_.size()});
  const ShardMap map = *ShardMap::Create(layout_.size(), 7);
  for (int shard = 0; shard < 7; ++shard) {
    const KeyRange range = map.range(shard);
    EXPECT_EQ(Values(1, range), std::vector<float>(&whole[range.begin], &whole[range.begin] + range.size()));
  }
  EXPECT_NE(Values(2, {0, layout_.size()}), whole);
}

TEST_P(InitialParameters, AreScaled) {
  std::vector<float> whole = Values(1, {0, layout_.size()});
  for (float& value : whole) value *= 0.25f;
  EXPECT_EQ(Values(1, {0, layout_.size()}, 0.25f), whole);
}

// Uniform in [-limit, limit]: thousands of draws come near the limit, and have a variance of limit^2 / 3.
TEST_P(InitialParameters, HaveTheDocumentedSpread) {
  for (int layer = 0; layer < 3; ++layer) {
    const std::string name = "layer" + std::to_string(layer);
    const ParameterLayout::Tensor weights = *layout_.Find(name + "/weights");
    const double fan_out = weights.shape[0];
    const double fan_in = weights.shape[1];
    const double limit = DocumentedLimit(layer == 2, fan_in, fan_out);
    float largest = 0;
    double squares = 0;
    for (float value : Values(1, weights.keys)) {
      largest = std::max(largest, std::abs(value));
      squares += double{value} * value;
    }
    EXPECT_LE(largest, limit * (1 + 1e-7)) << name;
    EXPECT_GT(largest, 0.99 * limit) << name;
    EXPECT_NEAR(squares / weights.keys.size(), limit * limit / 3, 0.09 * limit * limit / 3) << name;
    EXPECT_THAT(Values(1, layout_.Find(name + "/bias")->keys), Each(0)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Nonlinearities, InitialParameters, ::testing::ValuesIn(EveryNonlinearity()),
                         [](const auto& info) { return NetworkDescription::Nonlinearity_Name(info.param); });

}  // namespace
}  // namespace downpour
