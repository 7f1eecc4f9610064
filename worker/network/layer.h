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

  // For the curvature, the diagonal H of the loss's Hessian: to be called between Forward() and Backward() of
  // the same frames, with the same `parameters` and `inputs`. `output_curvature`, H_Y [frames, outputs],
  // becomes H_A in place, A = X W^T + b: f'(A)^2 H_Y, and if `full` + f''(A) d loss / d Y, which is
  // `output_gradient`. Writes this layer's keys of `curvature`, H_W = H_A^T (X o X) and H_b, the sum of H_A
  // over the frames; o is the product element by element. Writes H_X = H_A (W o W) to `input_curvature` if
  // that is not null. Off the diagonal of H_Y everything counts as 0 (Becker and LeCun 1988). Returns as
  // Backward().
  struct CurvatureInputs {
    TensorView parameters;
    const float* inputs = nullptr;
    absl::Span<const float> output_gradient;
    bool full = false;
  };
  absl::StatusOr<bool> BackwardCurvature(const CurvatureInputs& from, absl::Span<float> output_curvature,
                                         float* input_curvature, int64_t frames, MutableTensorView curvature,
                                         MatrixProducts& products);
  // For the squares: to be called after BackwardCurvature() and Backward(), with the output_gradient D that
  // Backward() has left. Writes this layer's keys of `squares`, the mean over the frames of each frame's
  // squared gradient, where D is 1 / frames of the frames' gradients: frames (D o D)^T (X o X).
  absl::StatusOr<bool> StoreSquares(absl::Span<const float> output_gradient, int64_t frames,
                                    MutableTensorView squares, MatrixProducts& products);

 private:
  // Stores the sums over the frames of `of_outputs` [frames, outputs] as the bias's keys, and `of_outputs`^T
  // `inputs` as those of the weights.
  absl::StatusOr<bool> StoreKeys(absl::Span<const float> of_outputs, const Operand& inputs, int64_t frames,
                                 MutableTensorView gradient, MatrixProducts& products);

  Options options_;
  std::vector<float> outputs_;
  Operand input_;
  Operand weights_;
  std::vector<float> bias_;  // widened from bfloat16
  std::vector<float> bias_gradient_;
  Operand output_gradient_;  // or the curvature or the squares of the outputs
  // Element by element, for the further planes only:
  std::vector<float> squared_;  // gradients of the outputs
  std::vector<float> squared_inputs_, squared_weights_;
  Operand squared_input_, squared_weight_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_LAYER_H_
