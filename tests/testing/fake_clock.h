// Where on the data's way: for tests of every room: a clock that a test sets.
#ifndef DOWNPOUR_TESTS_TESTING_FAKE_CLOCK_H_
#define DOWNPOUR_TESTS_TESTING_FAKE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace downpour {

// Its time changes only by Set(), Advance() and SleepFor(), which returns at once, and by `step` after each
// Now(). The time of day is the same until JumpWall() sets it forward or back. Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::UnixEpoch(), absl::Duration step = absl::ZeroDuration())
      : step_(step), now_(now) {}

  absl::Time Now() override {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = now_;
    now_ += step_;
    return now;
  }
  absl::Time WallNow() override {
    absl::MutexLock lock(&mutex_);
    return now_ + wall_offset_;
  }
  void SleepFor(absl::Duration duration) override { Advance(duration); }

  void Set(absl::Time now) {
    absl::MutexLock lock(&mutex_);
    now_ = now;
  }
  void Advance(absl::Duration duration) {
    absl::MutexLock lock(&mutex_);
    now_ += duration;
  }
  void JumpWall(absl::Duration forward) {
    absl::MutexLock lock(&mutex_);
    wall_offset_ += forward;
  }

 private:
  const absl::Duration step_;
  absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration wall_offset_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_FAKE_CLOCK_H_
