// Where on the data's way: between fetch and network; the parameters that one replica has fetched.
#ifndef DOWNPOUR_WORKER_REPLICA_PARAMETER_SNAPSHOT_H_
#define DOWNPOUR_WORKER_REPLICA_PARAMETER_SNAPSHOT_H_

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/tensor/tensor_view.h"

namespace downpour {

// A whole parameter vector, kept in the type in which it comes over the wire: float32, or bfloat16, which
// halves the memory of hundreds of replicas. All elements are 0 at first. Not thread-safe.
class ParameterSnapshot {
 public:
  ParameterSnapshot(int64_t elements, bool bfloat16,
                    std::pmr::memory_resource* memory = std::pmr::new_delete_resource())
      : floats_(bfloat16 ? 0 : elements, memory), bfloats_(bfloat16 ? elements : 0, memory) {}

  // All elements, to read from view() and to fetch into memory(). Both refer to this object's own memory.
  TensorView view() const { return bfloats_.empty() ? TensorView(floats_) : TensorView(bfloats_); }
  MutableTensorView memory() {
    return bfloats_.empty() ? MutableTensorView(absl::MakeSpan(floats_))
                            : MutableTensorView(absl::MakeSpan(bfloats_));
  }

  // Copies `bytes`, which a checkpoint has of view().bytes(). INVALID_ARGUMENT: they are not as many.
  absl::Status Load(absl::string_view bytes) {
    const absl::Span<char> own = memory().bytes();
    if (bytes.size() != own.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a replica's parameters have ", bytes.size(), " bytes, want ", own.size()));
    }
    std::copy(bytes.begin(), bytes.end(), own.begin());
    return absl::OkStatus();
  }

 private:
  std::pmr::vector<float> floats_;  // empty where bfloats_ has the elements
  std::pmr::vector<uint16_t> bfloats_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_PARAMETER_SNAPSHOT_H_
