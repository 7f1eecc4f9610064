// Where on the data's way: inside the network; a layer's matrix products, and the loops over its outputs.
#include "worker/network/layer.h"

#include <algorithm>
#include <cstddef>

#include "common/layout/nonlinearity.h"
#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"

namespace downpour {
namespace {

// gradient <- product(y, gradient), element by element; `y` and `gradient` may be the same memory.
template <typename Product>
void ForEach(absl::Span<const float> y, absl::Span<float> gradient, Product product) {
  const size_t size = y.size();
  const float* const from = y.data();
  float* const to = gradient.data();
#pragma omp parallel for simd
  for (size_t i = 0; i < size; ++i) to[i] = product(from[i], to[i]);
}

// z <- f(z), where oneDNN does not compute f with the matrix product.
void ApplyAfterProduct(NetworkDescription::Nonlinearity nonlinearity, absl::Span<float> z) {
  WithNonlinearity(nonlinearity, [z]<typename F>(F /*f*/) {
    if constexpr (!F::kByOneDnn) ForEach(z, z, [](float z, float) { return F::Value(z); });
  });
}

// gradient <- gradient * f'(Z), from y = f(Z).
void MultiplyByDerivative(NetworkDescription::Nonlinearity nonlinearity, absl::Span<const float> y,
                          absl::Span<float> gradient) {
  WithNonlinearity(nonlinearity, [y, gradient]<typename F>(F /*f*/) {
    ForEach(y, gradient, [](float y, float g) { return F::TimesDerivative(y, g); });
  });
}

// curvature <- f'(Z)^2 curvature, and if `full` + f''(Z) gradient, from y = f(Z).
void CurvatureThroughNonlinearity(NetworkDescription::Nonlinearity nonlinearity, absl::Span<const float> y,
                                  absl::Span<const float> gradient, bool full, absl::Span<float> curvature) {
  WithNonlinearity(nonlinearity, [&]<typename F>(F /*f*/) {
#pragma omp parallel for simd
    for (size_t i = 0; i < y.size(); ++i) {
      const float second = full ? F::SecondDerivative(y[i]) * gradient[i] : 0;
      curvature[i] = F::TimesDerivative(y[i], F::TimesDerivative(y[i], curvature[i])) + second;
    }
  });
}

// squares <- factor * values^2.
void Square(absl::Span<const float> values, float factor, std::vector<float>* squares) {
  squares->resize(values.size());
  float* const to = squares->data();
#pragma omp parallel for simd
  for (size_t i = 0; i < values.size(); ++i) to[i] = factor * (values[i] * values[i]);
}

// sums [columns] <- the sum of each column of `matrix` [rows, columns].
void SumRows(absl::Span<const float> matrix, absl::Span<float> sums) {
  constexpr size_t kColumns = 512;  // that a thread sums at a time
#pragma omp parallel for
  for (size_t begin = 0; begin < sums.size(); begin += kColumns) {
    const absl::Span<float> part = sums.subspan(begin, kColumns);
    std::fill(part.begin(), part.end(), 0.0f);
    for (size_t row = begin; row < matrix.size(); row += sums.size())
      for (size_t column = 0; column < part.size(); ++column) part[column] += matrix[row + column];
  }
}

}  // namespace

Layer::Layer(const Options& options) : options_(options), outputs_(options.max_frames * options.outputs) {}

absl::Status Layer::Forward(TensorView parameters, const float* inputs, int64_t frames,
                            MatrixProducts& products) {
  RETURN_IF_ERROR(products.Load(absl::MakeConstSpan(inputs, frames * options_.inputs), &input_));
  RETURN_IF_ERROR(products.Load(parameters[options_.weights], &weights_));
  const TensorView bias = parameters[options_.bias];
  bias_.resize(bias.bfloats().size());
  FromBfloat16(bias.bfloats(), absl::MakeSpan(bias_));
  const std::optional<NetworkDescription::Nonlinearity> nonlinearity = options_.nonlinearity;
  const bool by_onednn = nonlinearity && WithNonlinearity(*nonlinearity, [](auto f) { return f.kByOneDnn; });
  RETURN_IF_ERROR(products.Compute({.rows = frames,
                                    .columns = options_.outputs,
                                    .inner = options_.inputs,
                                    .transpose_b = true,
                                    .has_bias = true,
                                    .nonlinearity = by_onednn ? nonlinearity : std::nullopt},
                                   input_, weights_, bias_.empty() ? bias.floats().data() : bias_.data(),
                                   outputs_.data()));
  if (nonlinearity) ApplyAfterProduct(*nonlinearity, outputs(frames));
  return absl::OkStatus();
}

absl::StatusOr<bool> Layer::Backward(absl::Span<float> output_gradient, float* input_gradient, int64_t frames,
                                     MutableTensorView gradient, MatrixProducts& products) {
  if (options_.nonlinearity.has_value())
    MultiplyByDerivative(*options_.nonlinearity, outputs(frames), output_gradient);
  ASSIGN_OR_RETURN(const bool finite, StoreKeys(output_gradient, input_, frames, gradient, products));
  if (input_gradient == nullptr) return finite;
  RETURN_IF_ERROR(products.Compute({.rows = frames, .columns = options_.inputs, .inner = options_.outputs},
                                   output_gradient_, weights_, nullptr, input_gradient));
  return finite;
}

absl::StatusOr<bool> Layer::StoreKeys(absl::Span<const float> of_outputs, const Operand& inputs,
                                      int64_t frames, MutableTensorView gradient, MatrixProducts& products) {
  bias_gradient_.resize(options_.outputs);
  SumRows(of_outputs, absl::MakeSpan(bias_gradient_));
  const bool finite = StoreGradient(TensorView(bias_gradient_), gradient[options_.bias]);
  RETURN_IF_ERROR(products.Load(of_outputs, &output_gradient_));
  ASSIGN_OR_RETURN(
      const bool weights_finite,
      products.ComputeByRows(
          {.rows = options_.outputs, .columns = options_.inputs, .inner = frames, .transpose_a = true},
          output_gradient_, inputs, gradient[options_.weights]));
  return finite && weights_finite;
}

absl::StatusOr<bool> Layer::BackwardCurvature(const CurvatureInputs& from, absl::Span<float> output_curvature,
                                              float* input_curvature, int64_t frames,
                                              MutableTensorView curvature, MatrixProducts& products) {
  if (options_.nonlinearity.has_value()) {
    CurvatureThroughNonlinearity(*options_.nonlinearity, outputs(frames), from.output_gradient, from.full,
                                 output_curvature);
  }
  Square(absl::MakeConstSpan(from.inputs, frames * options_.inputs), 1, &squared_inputs_);
  RETURN_IF_ERROR(products.Load(TensorView(squared_inputs_), &squared_input_));
  ASSIGN_OR_RETURN(const bool finite,
                   StoreKeys(output_curvature, squared_input_, frames, curvature, products));
  if (input_curvature == nullptr) return finite;
  const TensorView weights = from.parameters[options_.weights];
  if (weights.is_bfloat16()) {
    squared_weights_.resize(weights.size());
    FromBfloat16(weights.bfloats(), absl::MakeSpan(squared_weights_));
    Square(squared_weights_, 1, &squared_weights_);
  } else {
    Square(weights.floats(), 1, &squared_weights_);
  }
  RETURN_IF_ERROR(products.Load(TensorView(squared_weights_), &squared_weight_));
  RETURN_IF_ERROR(products.Compute({.rows = frames, .columns = options_.inputs, .inner = options_.outputs},
                                   output_gradient_, squared_weight_, nullptr, input_curvature));
  return finite;
}

absl::StatusOr<bool> Layer::StoreSquares(absl::Span<const float> output_gradient, int64_t frames,
                                         MutableTensorView squares, MatrixProducts& products) {
  Square(output_gradient, static_cast<float>(frames), &squared_);
  return StoreKeys(squared_, squared_input_, frames, squares, products);
}

}  // namespace downpour
