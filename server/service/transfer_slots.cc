// Where on the data's way: the shard's end of the wire; a map by place holds the transfers that wait.
#include "server/service/transfer_slots.h"

#include <algorithm>

#include "common/check.h"

namespace downpour {

TransferSlots::Place TransferSlots::Arrive(std::string peer) {
  absl::MutexLock lock(&mutex_);
  return {arrived_++, std::move(peer)};
}

bool TransferSlots::Take(const std::string& peer) {
  if (free_ == 0) return false;
  int& held = held_[peer];
  if (held == most_of_a_peer_) return false;
  ++held;
  --free_;
  return true;
}

bool TransferSlots::Acquire(const Place& place, std::function<void()> transfer) {
  {
    absl::MutexLock lock(&mutex_);
    if (given_up_.contains(place.number)) return false;
    if (!Take(place.peer)) {
      DOWNPOUR_CHECK(waiting_.emplace(place.number, Waiting{place.peer, std::move(transfer)}).second);
      return true;
    }
  }
  transfer();
  return true;
}

bool TransferSlots::GiveUp(const Place& place) {
  absl::MutexLock lock(&mutex_);
  given_up_.insert(place.number);
  return waiting_.erase(place.number) > 0;
}

void TransferSlots::Leave(const Place& place) {
  absl::MutexLock lock(&mutex_);
  given_up_.erase(place.number);
}

void TransferSlots::Release(const std::string& peer) {
  std::function<void()> next;
  {
    absl::MutexLock lock(&mutex_);
    ++free_;
    if (const auto held = held_.find(peer); --held->second == 0) held_.erase(held);
    // All who wait before it have their peer's share already.
    const auto first = std::find_if(waiting_.begin(), waiting_.end(), [this](const auto& waiting) {
      mutex_.AssertHeld();
      return Take(waiting.second.peer);
    });
    if (first == waiting_.end()) return;
    next = std::move(first->second.transfer);
    waiting_.erase(first);
  }
  next();
}

}  // namespace downpour
