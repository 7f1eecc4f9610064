// Where on the data's way: inside the virtual cluster; how long things take there, and what time it is.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_TIME_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_TIME_H_

#include <atomic>
#include <cstdint>

#include "common/clock.h"
#include "common/random.h"
#include "proto/config.pb.h"

namespace downpour {

// Stands still but for Set(). Thread-safe.
class VirtualClock final : public Clock {
 public:
  void Set(int64_t now_ns) { now_ns_ = now_ns; }
  int64_t now_ns() const { return now_ns_; }
  absl::Time Now() override { return absl::UnixEpoch() + absl::Nanoseconds(now_ns()); }
  // Nothing in the virtual cluster blocks.
  void SleepFor(absl::Duration) override {}

 private:
  std::atomic<int64_t> now_ns_ = 0;
};

// One replica's times, drawn as VirtualClockDescription (proto/config.proto) says, from a stream of the run's
// seed that is the replica's own. A value; not thread-safe.
class ReplicaTimes {
 public:
  ReplicaTimes(uint64_t seed, uint32_t replica, const VirtualClockDescription& description);
  // As it was when it had this state.
  ReplicaTimes(uint64_t random, double speed) : random_(Random::FromState(random)), speed_(speed) {}
  uint64_t random() const { return random_.state(); }
  double speed() const { return speed_; }

  int64_t ComputeNs(const VirtualClockDescription& description);
  // 0 bytes: a message without payload.
  int64_t TransferNs(const VirtualClockDescription& description, int64_t bytes);

 private:
  Random random_;
  double speed_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_TIME_H_
