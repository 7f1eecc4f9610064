// Where on the data's way: the coordinator; compares the shards' last signs of life with the time.
#include "server/coordinator/shard_watch.h"

#include "common/program/logging.h"

namespace downpour {

void ShardWatch::SignOfLife(const ShardAddress& shard, absl::Time now, const ShardActivity* activity) {
  Watched& watched = shards_[shard.shard()];
  if (watched.shard.lost()) {
    LogWarning("shard ", shard.shard(), " at '", shard.address(), "' gives signs of life again, after ",
               absl::FormatDuration(absl::Floor(now - watched.last_sign, absl::Seconds(1))));
  }
  watched.shard.set_shard(shard.shard());
  watched.shard.set_address(shard.address());
  watched.shard.set_view(shard.view());
  watched.shard.set_lost(false);
  if (activity != nullptr) *watched.shard.mutable_activity() = *activity;
  watched.last_sign = now;
}

void ShardWatch::LookForLost(absl::Time now) {
  for (auto& [shard, watched] : shards_) {
    if (watched.shard.lost() || now - watched.last_sign < kSilence) continue;
    watched.shard.set_lost(true);
    LogWarning("shard ", shard, " at '", watched.shard.address(), "' is lost: no sign of life for ",
               absl::FormatDuration(kSilence));
  }
}

void ShardWatch::AddTo(absl::Time now, RunStatus* status) const {
  for (const auto& [shard, watched] : shards_) {
    ShardLiveness* liveness = status->add_shards();
    liveness->set_shard(shard);
    liveness->set_silent_s(absl::ToDoubleSeconds(now - watched.last_sign));
    liveness->set_lost(watched.shard.lost());
  }
}

void ShardWatch::AddTo(absl::Time now, Overview* overview) const {
  for (const auto& [shard, watched] : shards_) {
    ShardOverview* added = overview->add_shards();
    *added = watched.shard;
    added->set_silent_s(absl::ToDoubleSeconds(now - watched.last_sign));
  }
}

}  // namespace downpour
