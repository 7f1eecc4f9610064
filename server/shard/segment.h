// Where on the data's way: inside the shard; the keys that one lock guards, stepped by pushes and read by fetches.
#ifndef DOWNPOUR_SERVER_SHARD_SEGMENT_H_
#define DOWNPOUR_SERVER_SHARD_SEGMENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/layout/key_range.h"
#include "common/tensor/tensor_view.h"
#include "server/optimizer/optimizer.h"
#include "server/shard/lendable_elements.h"

namespace downpour {

// Parameters as one instant left them, unchanged while `owner` or a copy of it lives.
struct LentParameters {
  TensorView parameters;
  std::shared_ptr<const void> owner;
};

// Memory of a shard's segments; they share it.
struct SegmentMemory {
  LendableElements<float>::Spare floats = std::make_shared<SpareVectors<float>>();
  LendableElements<uint16_t>::Spare bfloats = std::make_shared<SpareVectors<uint16_t>>();
};

// Parameters and optimizer state of a range of keys, with the lock that guards them. Keys that are passed lie in the range.
class Segment {
 public:
  // The parameters of keys from `begin` on, and `states` vectors of state, all 0.
  Segment(int64_t begin, absl::Span<const float> parameters, size_t states, SegmentMemory memory);

  const KeyRange& range() const { return range_; }
  absl::Mutex& mutex() const ABSL_LOCK_RETURNED(mutex_) { return mutex_; }

  // One step of the keys from `begin` on; bfloat16 are widened.
  void Step(const Optimizer& optimizer, const UpdateStep& step, int64_t begin, TensorView gradient)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // [range().size()], and one such for each state.
  absl::Span<const float> parameters() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return parameters_.Get(); }
  absl::Span<float> state(size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return absl::MakeSpan(state_[index]);
  }

  // The parameters of `keys`; bfloat16 are rounded to nearest even. Read copies them, Lend does not.
  void Read(KeyRange keys, MutableTensorView parameters) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  LentParameters Lend(KeyRange keys, bool bfloat16) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

 private:
  KeyRange Offsets(KeyRange keys) const { return {keys.begin - range_.begin, keys.end - range_.begin}; }

  const KeyRange range_;
  const SegmentMemory memory_;
  mutable absl::Mutex mutex_;
  LendableElements<float> parameters_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::vector<float>> state_ ABSL_GUARDED_BY(mutex_);
  // All of parameters_, rounded. A step keeps this true if there was a fetch since the step before, while they are in the
  // caches: then there may well be one before the next.
  std::optional<LendableElements<uint16_t>> rounded_ ABSL_GUARDED_BY(mutex_);
  bool rounded_lent_ ABSL_GUARDED_BY(mutex_) = false;  // since the last step
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_SEGMENT_H_
