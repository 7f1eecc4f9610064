// Where on the data's way: on shard and replica; checks tensors' names and shapes, and counts their keys.
#include "common/layout/parameter_layout.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/file/crc32c.h"

namespace downpour {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 40;  // 4 TiB

absl::Status TooLarge(absl::string_view tensor) {
  return absl::InvalidArgumentError(
      absl::StrCat("the parameter layout exceeds ", kMaxElements, " elements with tensor '", tensor, "'"));
}

}  // namespace

absl::StatusOr<ParameterLayout> ParameterLayout::Create(std::vector<TensorSpec> specs) {
  if (specs.empty()) return absl::InvalidArgumentError("a parameter layout needs at least one tensor");
  ParameterLayout layout;
  std::string canonical;
  absl::flat_hash_set<std::string> names;
  for (TensorSpec& spec : specs) {
    if (spec.name.empty() || !names.insert(spec.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("tensor name '", spec.name, "' is empty or repeated"));
    }
    int64_t elements = 1;
    for (int64_t dimension : spec.shape) {
      if (dimension < 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("tensor '", spec.name, "' has dimension ", dimension, ", want at least 1"));
      }
      if (dimension > kMaxElements / elements) return TooLarge(spec.name);
      elements *= dimension;
    }
    if (elements > kMaxElements - layout.size_) return TooLarge(spec.name);
    absl::StrAppend(&canonical, spec.name, ":", absl::StrJoin(spec.shape, "x"), ";");
    const KeyRange keys{layout.size_, layout.size_ + elements};
    layout.tensors_.push_back({std::move(spec.name), std::move(spec.shape), keys});
    layout.size_ = keys.end;
  }
  layout.fingerprint_ = Crc32c(canonical);
  return layout;
}

absl::StatusOr<ParameterLayout::Tensor> ParameterLayout::Find(absl::string_view name) const {
  for (const Tensor& tensor : tensors_) {
    if (tensor.name == name) return tensor;
  }
  return absl::NotFoundError(absl::StrCat("no tensor '", name, "' in the parameter layout"));
}

}  // namespace downpour
