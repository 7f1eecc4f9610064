// Where on the data's way: the shard's end of the wire; ends streams whose peers do not move their bytes.
#ifndef DOWNPOUR_SERVER_SERVICE_STALL_WATCH_H_
#define DOWNPOUR_SERVER_SERVICE_STALL_WATCH_H_

#include <cstdint>
#include <map>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace downpour {

// Knows until when the transfer of each stream must be done; one is under way at a time. Thread-safe.
class StallWatch {
 public:
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

  void Begin(Stream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // When the transfer is done; a stream whose transfer is not under way changes nothing.
  void Done(Stream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // Cancels the streams whose transfers have been under way for longer than `longest`. Returns how many.
  int EndStalled() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const absl::Duration longest_;
  Clock* const clock_;
  absl::Mutex mutex_;
  std::map<Stream*, absl::Time> deadlines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_STALL_WATCH_H_
