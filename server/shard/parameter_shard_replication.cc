// Where on the data's way: the shard; what a primary's standby is sent, and what it makes of that.
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

void ParameterShard::LogGradient(uint64_t replica_id, int64_t begin, TensorView gradient) {
  if (!log_.is_kept()) return;
  ShardChange change;
  change.set_replica_id(replica_id);
  change.set_begin(static_cast<uint64_t>(begin));
  log_.Append(std::move(change), gradient);
}

absl::StatusOr<ShardSnapshot> ParameterShard::SnapshotFor(uint64_t follower) {
  ShardSnapshot snapshot = EmptySnapshot();
  absl::MutexLock lock(&ledger_.snapshot_mutex());
  RETURN_IF_ERROR(log_.Attach(follower));
  CopyTo(&snapshot);
  return snapshot;
}

absl::Status ParameterShard::Follow(const ShardChange& change, TensorView gradient) {
  if (change.has_begun()) return ledger_.Begun(change.begun());
  if (!change.rejected()) return FollowGradient(change, gradient);
  ledger_.Rejected(change.replica_id());
  return absl::OkStatus();
}

absl::Status ParameterShard::FollowGradient(const ShardChange& change, TensorView gradient) {
  const std::shared_ptr<PushLedger::Entry> kept = ledger_.FollowedEntry(change.replica_id());
  PushLedger::Entry* const entry = kept.get();
  absl::MutexLock lock(&entry->mutex());
  const KeyRange keys{static_cast<int64_t>(change.begin()),
                      static_cast<int64_t>(change.begin() + gradient.size())};
  const bool is_next = entry->push().sequence() > 0 && change.begin() == entry->push().next_key();
  if (!is_next || gradient.empty() || !range().Contains(keys) ||
      keys.end > SegmentOf(keys.begin).range().end) {
    return absl::DataLossError(absl::StrCat(
        "change ", change.number(), " steps keys [", keys.begin, ", ", keys.end, ") of replica ",
        change.replica_id(), ", want keys of one segment from ", entry->push().next_key(), " on"));
  }
  Segment& segment = SegmentOf(keys.begin);
  absl::ReaderMutexLock snapshot(&ledger_.snapshot_mutex());
  absl::MutexLock segment_lock(&segment.mutex());
  segment.Step(*optimizer_, StepOf(entry->push()), keys.begin, gradient);
  ledger_.Advance(keys.end, entry);
  return absl::OkStatus();
}

}  // namespace downpour
