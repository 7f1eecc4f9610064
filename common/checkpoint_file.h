// Where on the data's way: parameters at rest; the container of shard, coordinator and cluster checkpoints.
#ifndef DOWNPOUR_COMMON_CHECKPOINT_FILE_H_
#define DOWNPOUR_COMMON_CHECKPOINT_FILE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace downpour {

// Layout, little-endian:
//   "DPCKPT01"                      magic and format version
//   u64 header bytes, header        a serialised message of checkpoint.proto; `kind` says which
//   u32 kind bytes, kind
//   u32 section count, then per section: u32 name bytes, name, u64 data bytes, data
//   u32 CRC-32C of all before it
struct CheckpointFile {
  std::string kind;     // full message name, e.g. "downpour.ShardCheckpoint"
  std::string header;   // serialised
  struct Section {
    std::string name;
    absl::string_view data;   // refers to memory of the caller (writing) or to `storage` (reading)
  };
  std::vector<Section> sections;
  std::string storage;
};

// Writes beside `path`, syncs, then renames over it: a full disk or a crash leaves the old file as it was.
// RESOURCE_EXHAUSTED: disk full. UNAVAILABLE: any other failure to write; the message names file and cause.
absl::Status WriteCheckpointFile(const std::string& path, const CheckpointFile& file);

// NOT_FOUND: no such file. DATA_LOSS: truncated, wrong magic, wrong checksum, or `kind` is not `wanted_kind`; the
// message names the file, the byte offset, the value seen and the value wanted.
absl::StatusOr<CheckpointFile> ReadCheckpointFile(const std::string& path, absl::string_view wanted_kind);
// The same from memory; `name` stands for the file in messages. Takes any bytes.
absl::StatusOr<CheckpointFile> ParseCheckpoint(std::string bytes, absl::string_view wanted_kind,
                                               absl::string_view name);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_CHECKPOINT_FILE_H_
