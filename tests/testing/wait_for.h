// Where on the data's way: for tests of every room: waits for what another thread or process does.
#ifndef DOWNPOUR_TESTS_TESTING_WAIT_FOR_H_
#define DOWNPOUR_TESTS_TESTING_WAIT_FOR_H_

#include <functional>

#include "absl/time/time.h"
#include "common/clock.h"

namespace downpour {

// Asks every 20 ms whether `condition` is true; returns false if it is not within `timeout`.
inline bool WaitFor(const std::function<bool()>& condition, absl::Duration timeout = absl::Seconds(120)) {
  const absl::Time deadline = Clock::Real()->Now() + timeout;
  while (!condition()) {
    if (Clock::Real()->Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_WAIT_FOR_H_
