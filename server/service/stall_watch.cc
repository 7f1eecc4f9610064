// Where on the data's way: the shard's end of the wire; compares the streams' deadlines with the clock.
#include "server/service/stall_watch.h"

#include <set>

namespace downpour {

void StallWatch::Begin(const void* transfer, Stream* stream) {
  const absl::Time deadline = clock_->Now() + longest_;
  absl::MutexLock lock(&mutex_);
  transfers_[transfer] = {stream, deadline};
}

void StallWatch::Renew(const void* transfer) {
  const absl::Time deadline = clock_->Now() + longest_;
  absl::MutexLock lock(&mutex_);
  if (const auto found = transfers_.find(transfer); found != transfers_.end())
    found->second.deadline = deadline;
}

void StallWatch::Done(const void* transfer) {
  absl::MutexLock lock(&mutex_);
  transfers_.erase(transfer);
}

int StallWatch::EndStalled() {
  const absl::Time now = clock_->Now();
  std::set<Stream*> stalled;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [_, transfer] : transfers_) {
      if (transfer.deadline < now) stalled.insert(transfer.stream);
    }
    std::erase_if(transfers_, [&](const auto& entry) { return stalled.contains(entry.second.stream); });
    for (Stream* const stream : stalled) stream->Keep();
  }
  // Without the lock, since the streams may call Done() from within.
  for (Stream* const stream : stalled) stream->Cancel();
  return static_cast<int>(stalled.size());
}

}  // namespace downpour
