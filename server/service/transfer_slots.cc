// Where on the data's way: the shard's end of the wire; a map by place holds the transfers that wait.
#include "server/service/transfer_slots.h"

#include "common/check.h"

namespace downpour {

uint64_t TransferSlots::Arrive() {
  absl::MutexLock lock(&mutex_);
  return arrived_++;
}

void TransferSlots::Acquire(uint64_t place, std::function<void()> transfer) {
  {
    absl::MutexLock lock(&mutex_);
    if (free_ == 0) {
      DOWNPOUR_CHECK(waiting_.emplace(place, std::move(transfer)).second);
      return;
    }
    --free_;
  }
  transfer();
}

void TransferSlots::Release() {
  std::function<void()> next;
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    next = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
  }
  next();
}

}  // namespace downpour
