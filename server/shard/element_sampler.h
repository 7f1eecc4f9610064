// Where on the data's way: inside the shard; notes what an update does with a few elements, for those who ask.
#ifndef DOWNPOUR_SERVER_SHARD_ELEMENT_SAMPLER_H_
#define DOWNPOUR_SERVER_SHARD_ELEMENT_SAMPLER_H_

#include <atomic>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/segment.h"

namespace downpour {

// The step sizes and changes of chosen elements, as Fig. 2 of Zeiler 2012 has them. For a gradient g of an
// element whose update changes it by dx, the step size is -dx / g: all terms of the rule but g. Where g is 0 it
// is that of a very small gradient. Thread-safe.
class ElementSampler {
 public:
  static constexpr int kMostKeys = 4096;
  static constexpr int kMostSamples = 1 << 16;

  // Notes the keys of `request`, all in the shard's range, at every every_updates-th update from now on, and
  // takes what was noted so far; if the last request had other keys or another interval, that is dropped.
  // INVALID_ARGUMENT: no key, or too many, or an interval of 0.
  absl::StatusOr<SampleReply> Take(const SampleRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the step of that update is to be noted. Costs one load where nobody asks.
  bool Due(uint64_t update) const {
    const uint64_t every = every_updates_.load(std::memory_order_relaxed);
    return every > 0 && update % every == 0;
  }
  // To be called before segment.Step() with the same arguments.
  void Note(const Optimizer& optimizer, const UpdateStep& step, int64_t begin, const PushPlanes& planes,
            Segment& segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(segment.mutex()) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::atomic<uint64_t> every_updates_ = 0;
  absl::Mutex mutex_;
  std::vector<int64_t> keys_ ABSL_GUARDED_BY(mutex_);  // ascending
  SampleReply noted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_ELEMENT_SAMPLER_H_
