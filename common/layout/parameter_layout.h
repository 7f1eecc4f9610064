// Where on the data's way: names the tensors inside the flat vector that gradients and parameters travel as.
#ifndef DOWNPOUR_COMMON_LAYOUT_PARAMETER_LAYOUT_H_
#define DOWNPOUR_COMMON_LAYOUT_PARAMETER_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/layout/key_range.h"

namespace downpour {

// Gives each tensor, which has a name and a shape, its KeyRange: without gaps, in the order given, elements
// row-major. Copyable; immutable once created.
class ParameterLayout {
 public:
  struct TensorSpec {
    std::string name;
    std::vector<int64_t> shape;
  };
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    KeyRange keys;
  };

  // INVALID_ARGUMENT: no tensor, an empty or repeated name, a dimension below 1, or more than 2^40 elements.
  static absl::StatusOr<ParameterLayout> Create(std::vector<TensorSpec> specs);

  int64_t size() const { return size_; }  // elements of the flat vector
  const std::vector<Tensor>& tensors() const { return tensors_; }
  // NOT_FOUND: no tensor of that name.
  absl::StatusOr<Tensor> Find(absl::string_view name) const;
  // CRC-32C of "name:d0xd1;" of each tensor: equal layouts have the same one on every machine.
  uint32_t fingerprint() const { return fingerprint_; }

 private:
  std::vector<Tensor> tensors_;
  int64_t size_ = 0;
  uint32_t fingerprint_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_LAYOUT_PARAMETER_LAYOUT_H_
