// Where on the data's way: beside it; the time that heartbeats, back-off and logs go by, injected everywhere.
#ifndef DOWNPOUR_COMMON_CLOCK_H_
#define DOWNPOUR_COMMON_CLOCK_H_

#include "absl/time/time.h"

namespace downpour {

// Thread-safe. Real() in production; the virtual cluster and tests inject their own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
  virtual void SleepFor(absl::Duration duration) = 0;

  // Never destroyed.
  static Clock* Real();
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_CLOCK_H_
