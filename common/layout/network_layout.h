// Where on the data's way: on shard and replica; the run description gives layout and initial parameters.
#ifndef DOWNPOUR_COMMON_LAYOUT_NETWORK_LAYOUT_H_
#define DOWNPOUR_COMMON_LAYOUT_NETWORK_LAYOUT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/layout/key_range.h"
#include "common/layout/parameter_layout.h"
#include "proto/config.pb.h"

namespace downpour {

// Tensors "layer0/weights" [width, input_dim] (row-major: one row per unit), "layer0/bias" [width], ..., for
// every hidden layer and last the output layer [classes, width]. The paper's speech network has 42.8 M
// elements. INVALID_ARGUMENT: a dimension below 1, or more than 2^40 elements.
absl::StatusOr<ParameterLayout> NetworkLayout(const NetworkDescription& network, int64_t input_dim,
                                              int64_t classes);

// Fills `parameters` (keys.size() elements) with the initial values of `keys`. Biases are 0; weights are
// uniform in [-limit, limit], limit being weight_scale times GlorotLimit() for the output layer, and times the
// nonlinearity's WeightLimit() for others. Each value depends on (seed, key) alone, so any split over shards
// gives the same.
void InitializeParameters(const ParameterLayout& layout, const NetworkDescription& network, uint64_t seed,
                          KeyRange keys, absl::Span<float> parameters);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_LAYOUT_NETWORK_LAYOUT_H_
