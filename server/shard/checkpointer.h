// Where on the data's way: parameters at rest; a shard's parameters, state and ledger to disk and back.
#ifndef DOWNPOUR_SERVER_SHARD_CHECKPOINTER_H_
#define DOWNPOUR_SERVER_SHARD_CHECKPOINTER_H_

#include <cstdint>
#include <string>

#include "server/shard/parameter_shard.h"
#include "server/storage/checkpoint_file.h"
#include "server/storage/periodic_writer.h"

namespace downpour {

// Appends the snapshot's vectors to `file` as sections "<prefix>parameters" and "<prefix><state name>",
// float32, which refer to `snapshot`'s memory. The caller stores the header: a file may hold several shards.
void AddSections(const ShardSnapshot& snapshot, absl::string_view prefix, CheckpointFile* file);

// The snapshot with this header from such sections. DATA_LOSS: a section is missing or is not of the header's
// range, or the header names no valid range or optimizer.
absl::StatusOr<ShardSnapshot> SnapshotFromSections(const CheckpointFile& file, absl::string_view prefix,
                                                   ShardCheckpoint header);

// <directory>/shard-<shard>.ckpt, a "downpour.ShardCheckpoint".
std::string ShardCheckpointPath(absl::string_view directory, uint32_t shard);
// Statuses as WriteCheckpointFile.
absl::Status SaveShardSnapshot(const std::string& path, const ShardSnapshot& snapshot);
// Statuses as ReadCheckpointFile and SnapshotFromSections.
absl::StatusOr<ShardSnapshot> LoadShardSnapshot(const std::string& path);

// Writes one shard's checkpoint every `interval` from a thread of its own. Pushes and fetches wait for the
// copy in memory, never for the disk. A failed write is logged and leaves the last good file. Thread-safe.
class Checkpointer {
 public:
  // `shard` must outlive it. The first is due after `interval`, or at once; InfiniteDuration():
  // CheckpointNow() only.
  Checkpointer(const ParameterShard* shard, std::string path, absl::Duration interval, bool at_once = false)
      : writer_(
            interval, [shard, path = std::move(path)] { return SaveShardSnapshot(path, shard->Snapshot()); },
            [] { return true; }, Clock::Real(), at_once) {}

  // Statuses as WriteCheckpointFile. A clean end calls this; the destructor only waits for a write under way.
  absl::Status CheckpointNow() { return writer_.WriteNow(); }
  const PeriodicWriter& writer() const { return writer_; }

 private:
  PeriodicWriter writer_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_CHECKPOINTER_H_
