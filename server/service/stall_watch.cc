// Where on the data's way: the shard's end of the wire; compares the streams' deadlines with the clock.
#include "server/service/stall_watch.h"

#include <vector>

namespace downpour {

void StallWatch::Begin(Stream* stream) {
  const absl::Time deadline = clock_->Now() + longest_;
  absl::MutexLock lock(&mutex_);
  deadlines_[stream] = deadline;
}

void StallWatch::Done(Stream* stream) {
  absl::MutexLock lock(&mutex_);
  deadlines_.erase(stream);
}

int StallWatch::EndStalled() {
  const absl::Time now = clock_->Now();
  std::vector<Stream*> stalled;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [stream, deadline] : deadlines_) {
      if (deadline < now) stalled.push_back(stream);
    }
    for (Stream* const stream : stalled) {
      stream->Keep();
      deadlines_.erase(stream);
    }
  }
  // Without the lock, since the streams may call Done() from within.
  for (Stream* const stream : stalled) stream->Cancel();
  return static_cast<int>(stalled.size());
}

}  // namespace downpour
