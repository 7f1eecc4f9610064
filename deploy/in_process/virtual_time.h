// Where on the data's way: in the virtual cluster; what time it is, and how long steps and transfers take.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_TIME_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_TIME_H_

#include <atomic>

#include "common/clock.h"
#include "common/random.h"
#include "proto/config.pb.h"

namespace downpour {

// A clock whose time changes by Set() only. Thread-safe.
class VirtualClock final : public Clock {
 public:
  void Set(int64_t now_ns) { now_ns_ = now_ns; }
  int64_t now_ns() const { return now_ns_; }
  absl::Time Now() override { return absl::UnixEpoch() + absl::Nanoseconds(now_ns()); }
  absl::Time WallNow() override { return Now(); }
  // Returns at once: nothing in the virtual cluster waits for this clock.
  void SleepFor(absl::Duration) override {}

 private:
  std::atomic<int64_t> now_ns_ = 0;
};

// Rounds a duration in nanoseconds. What is longer than a century, or not a number, becomes a century, and
// what is negative 0.
int64_t RoundNanoseconds(double nanoseconds);

// `time_ns` + `delay`; at most the last time that there is, so that the clock never goes backwards.
inline int64_t After(int64_t time_ns, absl::Duration delay) {
  return absl::ToInt64Nanoseconds(absl::Nanoseconds(time_ns) + delay);
}

// Draws the durations of one replica, by the distributions of VirtualClockDescription (proto/config.proto),
// from a random stream of the run's seed that this replica alone uses. A value; not thread-safe.
class ReplicaTimes {
 public:
  ReplicaTimes(uint64_t seed, uint32_t replica, const VirtualClockDescription& description);
  // Goes on from the state that random() and speed() returned.
  ReplicaTimes(uint64_t random, double speed) : random_(Random::FromState(random)), speed_(speed) {}
  uint64_t random() const { return random_.state(); }
  double speed() const { return speed_; }

  int64_t ComputeNs(const VirtualClockDescription& description);
  // The duration of a message with `bytes` bytes of payload, which may be 0.
  int64_t TransferNs(const VirtualClockDescription& description, int64_t bytes);

 private:
  Random random_;
  double speed_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_TIME_H_
