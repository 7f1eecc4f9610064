// Where on the data's way: the shard's end of the wire; limits how many chunks are under way at once.
#ifndef DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_
#define DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"

namespace downpour {

// A fixed number of slots, each for one chunk of some stream. The stream that arrived first gets a free slot
// first: the shard then completes a few pushes after the other instead of all of them slowly, holds fewer
// bytes, and gradients are less stale. Streams of one peer, which is one connection, hold half of the slots
// at most, so a peer that stalls leaves some to the others. Thread-safe.
class TransferSlots {
 public:
  struct Place {
    uint64_t number = 0;
    std::string peer;
  };

  explicit TransferSlots(int slots) : free_(slots), most_of_a_peer_(std::max(1, slots / 2)) {}

  // The place in the line for a new stream of `peer`, behind all that arrived before.
  Place Arrive(std::string peer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls `transfer` as soon as a slot is free for the stream of that place: at once, or from the Release()
  // of another stream. `transfer` must not block. A stream must not wait for two slots at the same time.
  // Returns false, and does not call it, if the place was given up.
  bool Acquire(const Place& place, std::function<void()> transfer) ABSL_LOCKS_EXCLUDED(mutex_);
  // The stream is cancelled and takes no more slots. Returns whether it waited for one, which it then does no
  // more. Otherwise a slot that a peer holds, who does not take its bytes, could keep it waiting for ever.
  bool GiveUp(const Place& place) ABSL_LOCKS_EXCLUDED(mutex_);
  // The stream is over. To be called once.
  void Leave(const Place& place) ABSL_LOCKS_EXCLUDED(mutex_);
  // Frees a slot of a stream of `peer`. To be called once for each transfer that was called.
  void Release(const std::string& peer) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return waiting_.size();
  }

 private:
  struct Waiting {
    std::string peer;
    std::function<void()> transfer;
  };
  // Whether there is a slot for the peer, which this then takes.
  bool Take(const std::string& peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  int free_ ABSL_GUARDED_BY(mutex_);
  const int most_of_a_peer_;
  uint64_t arrived_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, int> held_ ABSL_GUARDED_BY(mutex_);      // slots, by peer
  std::map<uint64_t, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);  // by number of the place
  std::set<uint64_t> given_up_ ABSL_GUARDED_BY(mutex_);          // likewise
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_TRANSFER_SLOTS_H_
