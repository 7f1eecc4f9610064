// Where on the data's way: in every room; the time that heartbeats, back-off and logs are given.
#ifndef DOWNPOUR_COMMON_CLOCK_H_
#define DOWNPOUR_COMMON_CLOCK_H_

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace downpour {

// Thread-safe. Real() is for programs; the virtual cluster and tests have clocks of their own.
class Clock {
 public:
  virtual ~Clock() = default;
  // For all intervals: it never goes back and never jumps, whoever sets the system's time. It counts from an
  // instant of its own, so it means nothing to another process, on disk or to a reader.
  virtual absl::Time Now() = 0;
  // For time stamps only: the time of day, which may be set forward or back at any time.
  virtual absl::Time WallNow() = 0;
  virtual void SleepFor(absl::Duration duration) = 0;

  // The system's clocks. They live until the process ends.
  static Clock* Real();
};

inline Clock* Clock::Real() {
  class RealClock final : public Clock {
    absl::Time Now() override {
      return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
    }
    absl::Time WallNow() override { return absl::Now(); }
    void SleepFor(absl::Duration duration) override { absl::SleepFor(duration); }
  };
  static RealClock* const clock = new RealClock;
  return clock;
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_CLOCK_H_
