// Where on the data's way: at the shard's end of the wire; how many chunks are under way at once.
#ifndef DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_
#define DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_

#include <cstdint>
#include <functional>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace downpour {

// A fixed number of slots, each for one chunk of some stream. The stream that came first goes first, so that a few
// pushes are done after the other instead of all of them slowly: fewer bytes held, and less staleness. Thread-safe.
class TransferSlots {
 public:
  explicit TransferSlots(int slots) : free_(slots) {}

  // A new stream's place in the line.
  uint64_t Arrive() ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls `transfer`, which must not block, as soon as a slot is free for the stream of that place: at once, or from
  // another's Release(). A stream waits for one slot at a time.
  void Acquire(uint64_t place, std::function<void()> transfer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Once for each transfer that was called.
  void Release() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  int free_ ABSL_GUARDED_BY(mutex_);
  uint64_t arrived_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);  // by place
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_
