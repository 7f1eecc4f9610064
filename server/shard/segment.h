// Where on the data's way: inside the shard; the keys under one lock, which pushes step and fetches read.
#ifndef DOWNPOUR_SERVER_SHARD_SEGMENT_H_
#define DOWNPOUR_SERVER_SHARD_SEGMENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/tensor/tensor_view.h"
#include "common/wire/push_planes.h"
#include "server/optimizer/optimizer.h"
#include "server/shard/lendable_elements.h"

namespace downpour {

// Parameters as they were at one instant; they do not change while `owner` or a copy of it lives.
struct LentParameters {
  TensorView parameters;
  std::shared_ptr<const void> owner;
};

// Memory that all segments of a shard take from and give back to.
struct SegmentMemory {
  LendableElements<float>::Spare floats = std::make_shared<SpareVectors<float>>();
  LendableElements<uint16_t>::Spare bfloats = std::make_shared<SpareVectors<uint16_t>>();
};

// Parameters and optimizer state of a range of keys, with their lock. All keys given lie in the range.
class Segment {
 public:
  // Holds these parameters, of the keys from `begin` on, and `states` vectors of state, which start at 0.
  Segment(int64_t begin, absl::Span<const float> parameters, size_t states, SegmentMemory memory);

  const KeyRange& range() const { return range_; }
  absl::Mutex& mutex() const ABSL_LOCK_RETURNED(mutex_) { return mutex_; }

  // Steps the keys from `begin` on, as many as the gradient has; bfloat16 is widened. `fetched` becomes
  // step.fetched: empty, or of the gradient's size. The further planes become those of `step`.
  void Step(const Optimizer& optimizer, UpdateStep step, int64_t begin, const PushPlanes& planes,
            TensorView fetched = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The parameters, and the state vector of that index, of all keys: [range().size()] each.
  absl::Span<const float> parameters() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return parameters_.Get(); }
  absl::Span<float> state(size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return absl::MakeSpan(state_[index]);
  }

  // The parameters of `keys`; bfloat16 is rounded to nearest even. Read() copies them, Lend() does not.
  void Read(KeyRange keys, MutableTensorView parameters) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  LentParameters Lend(KeyRange keys, bool bfloat16) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

 private:
  KeyRange Offsets(KeyRange keys) const { return {keys.begin - range_.begin, keys.end - range_.begin}; }

  const KeyRange range_;
  const SegmentMemory memory_;
  mutable absl::Mutex mutex_;
  LendableElements<float> parameters_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::vector<float>> state_ ABSL_GUARDED_BY(mutex_);
  // All of parameters_ rounded, if it has a value. A step rounds what it has changed, while that is in the
  // cache, if a replica fetched since the step before: another then likely fetches before the next.
  std::optional<LendableElements<uint16_t>> rounded_ ABSL_GUARDED_BY(mutex_);
  bool rounded_lent_ ABSL_GUARDED_BY(mutex_) = false;  // has been since the last step
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_SEGMENT_H_
