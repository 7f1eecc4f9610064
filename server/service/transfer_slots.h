// Where on the data's way: the shard's end of the wire; limits how many chunks are under way at once.
#ifndef DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_
#define DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_

#include <cstdint>
#include <functional>
#include <map>

#include "absl/synchronization/mutex.h"

namespace downpour {

// A fixed number of slots, each for one chunk of some stream. The stream that arrived first gets a free slot
// first: the shard then completes a few pushes after the other instead of all of them slowly, holds fewer
// bytes, and gradients are less stale. Thread-safe.
class TransferSlots {
 public:
  explicit TransferSlots(int slots) : free_(slots) {}

  // The place in the line for a new stream, behind all that arrived before.
  uint64_t Arrive() ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls `transfer` as soon as a slot is free for the stream of that place: at once, or from the Release()
  // of another stream. `transfer` must not block. A stream must not wait for two slots at the same time.
  void Acquire(uint64_t place, std::function<void()> transfer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Frees a slot. To be called once for each transfer that was called.
  void Release() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  int free_ ABSL_GUARDED_BY(mutex_);
  uint64_t arrived_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);  // by place
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_
