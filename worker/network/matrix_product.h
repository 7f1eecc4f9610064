// Where on the data's way: inside the network; its matrix products, computed by oneDNN.
#ifndef DOWNPOUR_WORKER_NETWORK_MATRIX_PRODUCT_H_
#define DOWNPOUR_WORKER_NETWORK_MATRIX_PRODUCT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/tensor_view.h"
#include "proto/config.pb.h"

namespace downpour {

// C = f(op(A) op(B) + bias): op(A) is [rows, inner], op(B) [inner, columns], C [rows, columns], all
// row-major; op transposes if the field below says so. bias [columns] is added to every row.
struct MatrixProduct {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t inner = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  // Elements from one stored row to the next; 0: the rows follow one another.
  int64_t b_stride = 0;
  int64_t c_stride = 0;
  bool has_bias = false;
  // f: one that oneDNN computes (kByOneDnn in common/layout/nonlinearity.h); none: the identity.
  std::optional<NetworkDescription::Nonlinearity> nonlinearity = std::nullopt;

  template <typename H>
  friend H AbslHashValue(H h, const MatrixProduct& p) {
    return H::combine(std::move(h), p.rows, p.columns, p.inner, p.transpose_a, p.transpose_b, p.b_stride,
                      p.c_stride, p.has_bias, p.nonlinearity.has_value(),
                      p.nonlinearity.value_or(NetworkDescription::RELU));
  }
  friend bool operator==(const MatrixProduct&, const MatrixProduct&) = default;
};

// A or B in the precision of the products: the caller's memory, or a converted copy.
class Operand {
 private:
  friend class MatrixProducts;
  const void* data_ = nullptr;
  std::vector<uint16_t> bfloat16_;
  std::vector<float> float32_;
};

// Computes products of inputs in one precision, with float32 results, on OpenMP's threads, the calling one
// included. Keeps what oneDNN prepares, so that a shape seen before needs no new memory. Not thread-safe.
class MatrixProducts {
 public:
  // `precision`: FLOAT32 or BFLOAT16.
  explicit MatrixProducts(NetworkDescription::Precision precision);
  ~MatrixProducts();

  // Makes `values` an operand, which refers to them if they are in the products' precision, and otherwise
  // holds a converted copy. INTERNAL: oneDNN failed (its message follows), here and below.
  absl::Status Load(TensorView values, Operand* operand);
  // Reads `bias` only if product.has_bias. If B is the largest of the three matrices and has a panel of
  // columns for each thread, each computes whole panels, in about three quarters of oneDNN 2.6's usual time.
  absl::Status Compute(const MatrixProduct& product, const Operand& a, const Operand& b, const float* bias,
                       float* c);

  // Computes a product whose C is larger than the caches, such as a gradient of weights. A must be
  // transposed, B not, all matrices dense, without bias or nonlinearity. Each block of rows is stored in the
  // precision of `c` while it is in a core's cache. Returns whether all of C is finite as stored.
  absl::StatusOr<bool> ComputeByRows(const MatrixProduct& product, const Operand& a, const Operand& b,
                                     MutableTensorView c);

 private:
  struct State;  // keeps oneDNN's headers out of this one
  std::unique_ptr<State> state_;
};

// Stores `values`, which are in a cache, at `place`, a part of equal size of a gradient that is larger than
// the caches. Rounds them if only `place` is bfloat16; it is a bug if only `values` is. Returns whether all
// are finite as stored. Thread-safe.
bool StoreGradient(TensorView values, MutableTensorView place);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_MATRIX_PRODUCT_H_
