// Where on the data's way: in every client of a shard or the coordinator; when it repeats a call that failed.
#ifndef DOWNPOUR_COMMON_BACK_OFF_H_
#define DOWNPOUR_COMMON_BACK_OFF_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/random.h"

namespace downpour {

// The seed of waits' jitter, another one in every process. No result may depend on it. Thread-safe.
inline uint64_t ProcessJitterSeed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
  }();
  return seed;
}

struct RetryPolicy {
  absl::Duration first_wait = absl::Milliseconds(20);    // a shard is busy for about that long
  absl::Duration longest_wait = absl::Seconds(1);        // a restarted process is found again within this
  absl::Duration give_up_after = absl::Seconds(120);     // measured from the first attempt
  std::function<bool()> stopped = [] { return false; };  // asked between attempts; true: give up
};

// Whether the same call may succeed later: UNAVAILABLE, RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED.
inline bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) || absl::IsDeadlineExceeded(status);
}

// Calls `attempt`, which takes nothing and returns an absl::StatusOr<T>, until it succeeds, its status is not
// transient, or the next wait would end after policy.give_up_after. Returns its last result, or CANCELLED
// once policy.stopped() is true. Wait n = 0, 1, ... is drawn evenly from [w/2, w), w = first_wait * 2^n up to
// longest_wait: clients refused together do not come back together. Thread-safe if `random` is.
template <typename Attempt>
auto CallWithRetries(const RetryPolicy& policy, Clock* clock, Random* random, Attempt attempt) {
  const absl::Time give_up = clock->Now() + policy.give_up_after;
  for (absl::Duration wait = policy.first_wait;; wait = std::min(2 * wait, policy.longest_wait)) {
    auto result = attempt();
    if (result.ok() || !IsTransient(result.status())) return result;
    const absl::Duration jittered = wait * (0.5 + 0.5 * random->Uniform());
    if (policy.stopped()) return decltype(result)(absl::CancelledError("stopped"));
    if (clock->Now() + jittered > give_up) return result;
    clock->SleepFor(jittered);
  }
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_BACK_OFF_H_
