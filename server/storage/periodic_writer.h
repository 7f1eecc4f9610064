// Where on the data's way: parameters at rest; the thread that has checkpoints written, again and again.
#ifndef DOWNPOUR_SERVER_STORAGE_PERIODIC_WRITER_H_
#define DOWNPOUR_SERVER_STORAGE_PERIODIC_WRITER_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/metrics/metric_families.h"

namespace downpour {

// Calls `write` from a thread of its own, one call at a time. A failure is logged; `write` must leave the
// last good file as it was, and is called again when it is next due. Thread-safe.
class PeriodicWriter {
 public:
  // Every `interval`, counted from the end of the call before, the thread asks `due` and then calls `write`.
  // Neither is called while WriteNow() runs. InfiniteDuration(): `write` is called by WriteNow() only. The
  // clock is not owned and measures how long `write` takes. `at_once`: the first call is not waited for.
  PeriodicWriter(
      absl::Duration interval, std::function<absl::Status()> write,
      std::function<bool()> due = [] { return true; }, Clock* clock = Clock::Real(), bool at_once = false);
  // Waits for a write under way; begins none. A clean end calls WriteNow() first.
  ~PeriodicWriter();

  // Calls `write`, due or not, and returns its status.
  absl::Status WriteNow() ABSL_LOCKS_EXCLUDED(write_mutex_);

  // Since the last call of `write` that ended well; none without one.
  std::optional<absl::Duration> Age() const ABSL_LOCKS_EXCLUDED(written_mutex_);
  // How many checkpoints were written, in what time, and when the last one was.
  void AddTo(MetricFamilies* families) const ABSL_LOCKS_EXCLUDED(written_mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(write_mutex_);
  absl::Status Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) ABSL_LOCKS_EXCLUDED(written_mutex_);

  const absl::Duration interval_;
  const std::function<absl::Status()> write_;
  const std::function<bool()> due_;
  Clock* const clock_;
  const bool at_once_;
  absl::Mutex write_mutex_;  // held by whoever calls due_ or write_
  mutable absl::Mutex written_mutex_;
  int64_t written_ ABSL_GUARDED_BY(written_mutex_) = 0;
  int64_t failed_ ABSL_GUARDED_BY(written_mutex_) = 0;
  absl::Duration writing_ ABSL_GUARDED_BY(written_mutex_);  // of those that were written
  absl::Time last_written_ ABSL_GUARDED_BY(written_mutex_);
  // Of the standard library, whose wait goes by the monotonic clock; Abseil's goes by the time of day.
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;   // guarded by mutex_
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_STORAGE_PERIODIC_WRITER_H_
