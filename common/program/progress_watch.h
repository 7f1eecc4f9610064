// Where on the data's way: common/program, while a server runs; whether the work that waits gets done.
#ifndef DOWNPOUR_COMMON_PROGRAM_PROGRESS_WATCH_H_
#define DOWNPOUR_COMMON_PROGRAM_PROGRESS_WATCH_H_

#include <cstdint>

#include "absl/time/time.h"

namespace downpour {

// A server makes progress while it has nothing to do, or while what it has done grows. It is stuck if work
// has waited for `patience` and nothing was done. A pure state machine; not thread-safe.
class ProgressWatch {
 public:
  explicit ProgressWatch(absl::Duration patience) : patience_(patience) {}

  // To be called about every second: `done` counts what was done since the start, `busy` says whether work
  // waits now. Returns whether the server makes progress.
  bool Look(int64_t done, bool busy, absl::Time now) {
    if (done != done_ || !busy) {
      done_ = done;
      since_ = now;
    }
    return now - since_ < patience_;
  }

 private:
  const absl::Duration patience_;
  int64_t done_ = -1;
  absl::Time since_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_PROGRESS_WATCH_H_
