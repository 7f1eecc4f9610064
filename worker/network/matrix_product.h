// Where on the data's way: inside the network; its matrix products, computed by oneDNN.
#ifndef DOWNPOUR_WORKER_NETWORK_MATRIX_PRODUCT_H_
#define DOWNPOUR_WORKER_NETWORK_MATRIX_PRODUCT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor/tensor_view.h"
#include "proto/config.pb.h"

namespace downpour {

// C = f(op(A) op(B) + bias): op(A) is [rows, inner], op(B) [inner, columns], C [rows, columns], all row-major;
// op transposes where asked. bias [columns] is added to every row.
struct MatrixProduct {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t inner = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  // Elements from one stored row to the next; 0: the matrix is dense.
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

// A or B as the products read it.
class Operand {
 private:
  friend class MatrixProducts;
  const void* data_ = nullptr;
  std::vector<uint16_t> bfloat16_;
  std::vector<float> float32_;
};

// Computes products with inputs in one precision and float32 results, on the calling thread and OpenMP's
// others. Not thread-safe. What oneDNN prepares for a shape is kept, so that a shape seen before allocates
// nothing.
class MatrixProducts {
 public:
  // `precision`: FLOAT32 or BFLOAT16.
  explicit MatrixProducts(NetworkDescription::Precision precision);
  ~MatrixProducts();

  // Makes values an operand, which refers to those that are in the products' precision, and holds a copy of others.
  // INTERNAL: oneDNN failed (its message follows), here and below.
  absl::Status Load(TensorView values, Operand* operand);
  // `bias` is read if product.has_bias. Where B is the largest of the three, and there are panels of its columns enough for
  // all threads, each thread computes whole panels, in which oneDNN 2.6 takes about three quarters of its usual time.
  absl::Status Compute(const MatrixProduct& product, const Operand& a, const Operand& b, const float* bias,
                       float* c);

  // The same of a product with transposed A, all dense, neither bias nor nonlinearity, and so many rows that C outgrows the
  // caches: in blocks of rows, each stored in the precision of `c` while a core's cache has it. Whether C is finite
  // everywhere, as stored.
  absl::StatusOr<bool> ComputeByRows(const MatrixProduct& product, const Operand& a, const Operand& b,
                                     MutableTensorView c);

 private:
  struct State;  // hides oneDNN's headers
  std::unique_ptr<State> state_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_MATRIX_PRODUCT_H_
