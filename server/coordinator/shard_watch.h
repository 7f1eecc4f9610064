// Where on the data's way: the coordinator; when each shard's process last gave a sign of life.
#ifndef DOWNPOUR_SERVER_COORDINATOR_SHARD_WATCH_H_
#define DOWNPOUR_SERVER_COORDINATOR_SHARD_WATCH_H_

#include <map>

#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// A shard's process registers again once a second (server/server_main.cc), which is its sign of life. One
// that has been silent for kSilence is lost until it registers again. A pure state machine; not thread-safe.
class ShardWatch {
 public:
  static constexpr absl::Duration kSilence = absl::Seconds(5);

  // The shard lives. Logs it if it was lost. `activity` is kept for AddTo(), if there is one.
  void SignOfLife(const ShardAddress& shard, absl::Time now, const ShardActivity* activity = nullptr);
  // Logs each shard that has become lost since the last call.
  void LookForLost(absl::Time now);
  // Adds the status's `shards`.
  void AddTo(absl::Time now, RunStatus* status) const;
  void AddTo(absl::Time now, Overview* overview) const;

 private:
  struct Watched {
    ShardOverview shard;  // but for silent_s
    absl::Time last_sign;
  };
  std::map<uint32_t, Watched> shards_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_SHARD_WATCH_H_
