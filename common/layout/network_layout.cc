// Where on the data's way: on shard and replica; each layer's tensors, and each key's initial value.
#include "common/layout/network_layout.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/layout/nonlinearity.h"
#include "common/random.h"

namespace downpour {
namespace {

double WeightLimit(const ParameterLayout::Tensor& weights, NetworkDescription::Nonlinearity nonlinearity,
                   bool output_layer) {
  const auto fan_out = static_cast<double>(weights.shape[0]);
  const auto fan_in = static_cast<double>(weights.shape[1]);
  if (output_layer) return GlorotLimit(fan_in, fan_out);
  return WithNonlinearity(nonlinearity, [=](auto f) { return f.WeightLimit(fan_in, fan_out); });
}

}  // namespace

absl::StatusOr<ParameterLayout> NetworkLayout(const NetworkDescription& network, int64_t input_dim,
                                              int64_t classes) {
  if (input_dim < 1 || classes < 1) {
    return absl::InvalidArgumentError(absl::StrCat("a network with ", input_dim, " inputs and ", classes,
                                                   " classes: want at least 1 of each"));
  }
  std::vector<ParameterLayout::TensorSpec> specs;
  int64_t fan_in = input_dim;
  const auto add_layer = [&](int64_t width) {
    const std::string layer = absl::StrCat("layer", specs.size() / 2);
    specs.push_back({layer + "/weights", {width, fan_in}});
    specs.push_back({layer + "/bias", {width}});
    fan_in = width;
  };
  for (int32_t width : network.hidden_width()) add_layer(width);
  add_layer(classes);
  return ParameterLayout::Create(std::move(specs));
}

void InitializeParameters(const ParameterLayout& layout, const NetworkDescription& network, uint64_t seed,
                          KeyRange keys, absl::Span<float> parameters) {
  DOWNPOUR_CHECK(keys.begin >= 0 && keys.end <= layout.size());
  DOWNPOUR_CHECK(static_cast<int64_t>(parameters.size()) == keys.size());
  for (const ParameterLayout::Tensor& tensor : layout.tensors()) {
    const int64_t begin = std::max(keys.begin, tensor.keys.begin);
    const int64_t end = std::min(keys.end, tensor.keys.end);
    const bool bias = tensor.shape.size() == 1;
    const bool output_layer = tensor.keys.end + (bias ? 0 : tensor.shape[0]) == layout.size();
    const double limit =
        bias ? 0 : network.weight_scale() * WeightLimit(tensor, network.nonlinearity(), output_layer);
    for (int64_t key = begin; key < end; ++key) {
      const double uniform = static_cast<double>(RandomAt(seed, key) >> 11) * 0x1.0p-53;
      parameters[key - keys.begin] = static_cast<float>(limit * (2 * uniform - 1));
    }
  }
}

}  // namespace downpour
