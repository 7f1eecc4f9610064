// Where on the data's way: inside the network; one fully connected layer, forward and backward.
#ifndef DOWNPOUR_WORKER_NETWORK_LAYER_H_
#define DOWNPOUR_WORKER_NETWORK_LAYER_H_

#include "absl/types/span.h"
#include "common/layout/key_range.h"
#include "common/tensor/tensor_view.h"
#include "worker/network/matrix_product.h"

namespace downpour {

// Y = f(X W^T + b): X [frames, inputs], W [outputs, inputs], b [outputs], Y [frames, outputs]. Owns Y, and
// copies of what is not in the products' precision; the parameters are the caller's. Not thread-safe.
class Layer {
 public:
  struct Options {
    int64_t inputs = 0;
    int64_t outputs = 0;
    int64_t max_frames = 0;
    KeyRange weights;  // in the flat parameter vector
    KeyRange bias;
    // f; none: the identity, for the output layer.
    std::optional<NetworkDescription::Nonlinearity> nonlinearity = std::nullopt;
  };
  explicit Layer(const Options& options);

  // Y of the last Forward(), [frames, outputs].
  absl::Span<float> outputs(int64_t frames) {
    return absl::MakeSpan(outputs_.data(), frames * options_.outputs);
  }

  // Computes Y from `inputs`, [frames, inputs]. Backward() reads `inputs` and `parameters` again where they
  // are in the products' precision. INTERNAL: as MatrixProducts, here and below.
  absl::Status Forward(TensorView parameters, const float* inputs, int64_t frames, MatrixProducts& products);

  // To be called after Forward() of the same frames. `output_gradient`, d loss / d Y, becomes d loss / d (X
  // W^T + b) in place. Writes this layer's keys of `gradient`, and d loss / d X to `input_gradient` if that
  // is not null. Returns whether those keys are finite as stored.
  absl::StatusOr<bool> Backward(absl::Span<float> output_gradient, float* input_gradient, int64_t frames,
                                MutableTensorView gradient, MatrixProducts& products);

 private:
  Options options_;
  std::vector<float> outputs_;
  Operand input_;
  Operand weights_;
  std::vector<float> bias_;  // widened from bfloat16
  std::vector<float> bias_gradient_;
  Operand output_gradient_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_LAYER_H_
