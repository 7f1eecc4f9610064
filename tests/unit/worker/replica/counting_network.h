// Where on the data's way: in place of a network; gradients that a test of the replica knows beforehand.
#ifndef DOWNPOUR_TESTS_UNIT_WORKER_REPLICA_COUNTING_NETWORK_H_
#define DOWNPOUR_TESTS_UNIT_WORKER_REPLICA_COUNTING_NETWORK_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "common/tensor/bfloat16.h"
#include "worker/network/network.h"

namespace downpour {

inline constexpr int64_t kParameters = 3;

// Its gradient is (call number, 10 * call number, 100 * call number); in call `bad_call` the last
// is `bad_value`.
class CountingNetwork final : public Network {
 public:
  const ParameterLayout& layout() const override { return layout_; }
  std::string precision() const override { return "float32"; }
  int64_t max_frames() const override { return 1000; }
  absl::StatusOr<Result> ComputeGradient(TensorView, const Minibatch& minibatch,
                                         MutableTensorView gradient) override {
    ++calls;
    rounded_calls += gradient.is_bfloat16() ? 1 : 0;
    std::vector<float> values(kParameters);
    for (int i = 0; i < kParameters; ++i) values[i] = static_cast<float>(calls * std::pow(10, i));
    if (calls == bad_call) values[2] = bad_value;
    if (gradient.is_bfloat16()) {
      ToBfloat16(values, gradient.bfloats());
    } else {
      std::copy(values.begin(), values.end(), gradient.floats().begin());
    }
    return Result{.loss_sum = 2.0 * minibatch.frames, .finite = std::isfinite(values[2])};
  }
  absl::StatusOr<Result> Evaluate(TensorView, const Minibatch&, std::vector<int32_t>*) override {
    return absl::UnimplementedError("not used");
  }

  int calls = 0;
  int rounded_calls = 0;  // calls for a gradient in bfloat16
  int bad_call = 0;
  float bad_value = 0;

 private:
  ParameterLayout layout_ = *ParameterLayout::Create({{"w", {kParameters}}});
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_UNIT_WORKER_REPLICA_COUNTING_NETWORK_H_
