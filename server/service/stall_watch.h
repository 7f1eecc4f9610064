// Where on the data's way: the shard's end of the wire; ends streams whose peers do not move their bytes.
#ifndef DOWNPOUR_SERVER_SERVICE_STALL_WATCH_H_
#define DOWNPOUR_SERVER_SERVICE_STALL_WATCH_H_

#include <cstdint>
#include <map>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace downpour {

// Knows until when each transfer of a chunk must be done. Thread-safe.
class StallWatch {
 public:
  // A stream has some transfers under way at a time.
  class Stream {
   public:
    // Called with the watch's lock: the stream lives until Cancel() has returned, which is called soon after.
    virtual void Keep() = 0;
    virtual void Cancel() = 0;

   protected:
    ~Stream() = default;
  };

  // `clock` is not owned.
  StallWatch(absl::Duration longest, Clock* clock) : longest_(longest), clock_(clock) {}

  // `transfer` is any address that stands for this transfer alone. `stream` must live until it is done.
  void Begin(const void* transfer, Stream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // Its bytes begin to move only now, so its time begins again; if it is under way still.
  void Renew(const void* transfer) ABSL_LOCKS_EXCLUDED(mutex_);
  // A transfer that is not under way changes nothing.
  void Done(const void* transfer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Cancels the streams with a transfer that has been under way for longer than `longest`. Returns how many.
  int EndStalled() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Transfer {
    Stream* stream;
    absl::Time deadline;
  };
  const absl::Duration longest_;
  Clock* const clock_;
  absl::Mutex mutex_;
  std::map<const void*, Transfer> transfers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_STALL_WATCH_H_
