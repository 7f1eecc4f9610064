// Where on the data's way: the shard; what a primary's standby is sent, and what it makes of that.
#include <algorithm>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

void ParameterShard::LogPlanes(uint64_t replica_id, int64_t begin, const PushPlanes& planes) {
  if (!log_.is_kept()) return;
  ShardChange change;
  change.set_replica_id(replica_id);
  change.set_begin(static_cast<uint64_t>(begin));
  if (planes.size() == 1) return log_.Append(std::move(change), planes.gradient());
  std::vector<float> all(planes.size() * planes.gradient().size());
  for (size_t plane = 0; plane < planes.size(); ++plane) {
    const auto copy = absl::MakeSpan(all).subspan(plane * planes[plane].size(), planes[plane].size());
    if (planes[plane].is_bfloat16()) {
      FromBfloat16(planes[plane].bfloats(), copy);
    } else {
      absl::c_copy(planes[plane].floats(), copy.begin());
    }
  }
  change.set_planes(static_cast<uint32_t>(planes.size()));
  log_.Append(std::move(change), all);
}

absl::StatusOr<ShardSnapshot> ParameterShard::SnapshotFor(uint64_t follower) {
  ShardSnapshot snapshot = EmptySnapshot();
  absl::MutexLock lock(&ledger_.snapshot_mutex());
  RETURN_IF_ERROR(log_.Attach(follower));
  CopyTo(&snapshot);
  return snapshot;
}

absl::Status ParameterShard::Follow(const ShardChange& change, TensorView planes) {
  if (change.has_begun()) return ledger_.Begun(change.begun());
  if (!change.rejected()) return FollowPlanes(change, planes);
  ledger_.Rejected(change.replica_id());
  return absl::OkStatus();
}

absl::Status ParameterShard::FollowPlanes(const ShardChange& change, TensorView all) {
  const size_t planes = std::max<size_t>(1, change.planes());
  if (!optimizer_->TakesPlanes(planes) || all.size() % planes != 0) {
    return absl::DataLossError(absl::StrCat("change ", change.number(), " has ", planes, " planes of ",
                                            all.size(), " elements in all, want what the rule takes"));
  }
  const auto size = static_cast<int64_t>(all.size() / planes);
  const std::shared_ptr<PushLedger::Entry> kept = ledger_.FollowedEntry(change.replica_id());
  PushLedger::Entry* const entry = kept.get();
  absl::MutexLock lock(&entry->mutex());
  const KeyRange keys{static_cast<int64_t>(change.begin()), static_cast<int64_t>(change.begin()) + size};
  const bool is_next = entry->push().sequence() > 0 && change.begin() == entry->push().next_key();
  if (!is_next || all.empty() || !range().Contains(keys) || keys.end > SegmentOf(keys.begin).range().end) {
    return absl::DataLossError(absl::StrCat(
        "change ", change.number(), " steps keys [", keys.begin, ", ", keys.end, ") of replica ",
        change.replica_id(), ", want keys of one segment from ", entry->push().next_key(), " on"));
  }
  Segment& segment = SegmentOf(keys.begin);
  absl::ReaderMutexLock snapshot(&ledger_.snapshot_mutex());
  absl::MutexLock segment_lock(&segment.mutex());
  PushPlanes step(all[{0, size}]);
  for (size_t plane = 1; plane < planes; ++plane) {
    const auto first = static_cast<int64_t>(plane) * size;
    step.Add(all[{first, first + size}]);
  }
  Step(StepOf(entry->push()), keys.begin, step, {}, &segment);
  ledger_.Advance(keys.end, entry);
  return absl::OkStatus();
}

}  // namespace downpour
