// Where on the data's way: in every room; the time that heartbeats, back-off and logs are given.
#ifndef DOWNPOUR_COMMON_CLOCK_H_
#define DOWNPOUR_COMMON_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace downpour {

// Thread-safe. Real() is for programs; the virtual cluster and tests have clocks of their own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
  virtual void SleepFor(absl::Duration duration) = 0;

  // The system's clock. It lives until the process ends.
  static Clock* Real();
};

inline Clock* Clock::Real() {
  class RealClock final : public Clock {
    absl::Time Now() override { return absl::Now(); }
    void SleepFor(absl::Duration duration) override { absl::SleepFor(duration); }
  };
  static RealClock* const clock = new RealClock;
  return clock;
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_CLOCK_H_
