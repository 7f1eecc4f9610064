// Where on the data's way: common/program, in a client; tells a person that the peer does not answer.
#ifndef DOWNPOUR_COMMON_PROGRAM_REACHABILITY_H_
#define DOWNPOUR_COMMON_PROGRAM_REACHABILITY_H_

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"

namespace downpour {

// Logs a warning with the peer's name and the reason when an attempt to reach it is made again, then at most
// after 2, 4, 8, ... seconds and every minute, and a last one when it answers. Thread-safe: threads that call
// the same peer share the warnings.
class Reachability {
 public:
  // `peer`: for example "the coordinator at 127.0.0.1:7100". The clock is not owned.
  Reachability(std::string peer, Clock* clock) : peer_(std::move(peer)), clock_(clock) {}

  // Call it before each attempt,
  void Trying() ABSL_LOCKS_EXCLUDED(mutex_);
  // and one of these after it.
  void Failed(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  void Answered() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::string peer_;
  Clock* const clock_;
  absl::Mutex mutex_;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);  // of the last failure since it answered; OK: none
  bool warned_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time next_warning_ ABSL_GUARDED_BY(mutex_);
  absl::Duration pause_ ABSL_GUARDED_BY(mutex_);  // between the next warning and the one after it
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_REACHABILITY_H_
