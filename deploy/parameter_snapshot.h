// Where on the data's way: inside the virtual cluster; the parameters that one replica has fetched.
#ifndef DOWNPOUR_DEPLOY_PARAMETER_SNAPSHOT_H_
#define DOWNPOUR_DEPLOY_PARAMETER_SNAPSHOT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/tensor_view.h"
#include "server/parameter_shard.h"

namespace downpour {

// A whole parameter vector, zeros at first, kept as it came over the wire: in float32, or in bfloat16, which halves
// what hundreds of replicas hold. Not thread-safe.
class ParameterSnapshot {
 public:
  ParameterSnapshot(int64_t elements, bool bfloat16);

  // Takes the shard's parameters as they are now, straight into this memory. Its range lies within the vector.
  absl::Status Fetch(const ParameterShard& shard);
  // All elements, in this memory.
  TensorView view() const { return bfloats_.empty() ? TensorView(floats_) : TensorView(bfloats_); }

  // For a checkpoint. Load: INVALID_ARGUMENT if `bytes` are not as many as bytes() has.
  absl::string_view bytes() const { return view().bytes(); }
  absl::Status Load(absl::string_view bytes);

 private:
  std::vector<float> floats_;  // empty where bfloats_ has the elements
  std::vector<uint16_t> bfloats_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_PARAMETER_SNAPSHOT_H_
