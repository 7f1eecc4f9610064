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
  bias_gradient_.resize(options_.outputs);
  SumRows(output_gradient, absl::MakeSpan(bias_gradient_));
  bool finite = StoreGradient(TensorView(bias_gradient_), gradient[options_.bias]);
  RETURN_IF_ERROR(products.Load(output_gradient, &output_gradient_));
  ASSIGN_OR_RETURN(
      const bool weights_finite,
      products.ComputeByRows(
          {.rows = options_.outputs, .columns = options_.inputs, .inner = frames, .transpose_a = true},
          output_gradient_, input_, gradient[options_.weights]));
  finite = finite && weights_finite;
  if (input_gradient == nullptr) return finite;
  RETURN_IF_ERROR(products.Compute({.rows = frames, .columns = options_.inputs, .inner = options_.outputs},
                                   output_gradient_, weights_, nullptr, input_gradient));
  return finite;
}

}  // namespace downpour
