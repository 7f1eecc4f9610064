// Where on the data's way: parameters at rest; a shard's snapshot as sections of a checkpoint file.
#include "server/shard/checkpointer.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr absl::string_view kKind = "downpour.ShardCheckpoint";

absl::StatusOr<std::vector<float>> FloatsFrom(const CheckpointFile& file, const std::string& name,
                                              uint64_t elements) {
  ASSIGN_OR_RETURN(std::vector<float> values, file.Floats(name));
  if (values.size() == elements) return values;
  return absl::DataLossError(
      absl::StrCat("section '", name, "' has ", values.size(), " float32, want ", elements));
}

// Of a header that a shard has made, or that comes from a file.
absl::StatusOr<std::vector<std::string>> StateNames(const ShardCheckpoint& header) {
  const absl::StatusOr<std::unique_ptr<Optimizer>> optimizer =
      Optimizer::Create(header.optimizer(), header.warm_start(), {.pushes = header.round_pushes()});
  if (!optimizer.ok())
    return absl::DataLossError(absl::StrCat("checkpoint header: ", optimizer.status().message()));
  return (*optimizer)->state_names();
}

}  // namespace

void AddSections(const ShardSnapshot& snapshot, absl::string_view prefix, CheckpointFile* file) {
  file->AddFloats(absl::StrCat(prefix, "parameters"), snapshot.parameters);
  const std::vector<std::string> names = *StateNames(snapshot.header);
  for (size_t i = 0; i < names.size(); ++i)
    file->AddFloats(absl::StrCat(prefix, names[i]), snapshot.state[i]);
}

absl::StatusOr<ShardSnapshot> SnapshotFromSections(const CheckpointFile& file, absl::string_view prefix,
                                                   ShardCheckpoint header) {
  if (header.begin() >= header.end()) {
    return absl::DataLossError(
        absl::StrCat("checkpoint header: keys [", header.begin(), ", ", header.end(), "), want begin < end"));
  }
  const uint64_t elements = header.end() - header.begin();
  ShardSnapshot snapshot;
  ASSIGN_OR_RETURN(snapshot.parameters, FloatsFrom(file, absl::StrCat(prefix, "parameters"), elements));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, StateNames(header));
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(snapshot.state.emplace_back(), FloatsFrom(file, absl::StrCat(prefix, name), elements));
  }
  snapshot.header = std::move(header);
  return snapshot;
}

std::string ShardCheckpointPath(absl::string_view directory, uint32_t shard) {
  return absl::StrCat(directory, "/shard-", shard, ".ckpt");
}

absl::Status SaveShardSnapshot(const std::string& path, const ShardSnapshot& snapshot) {
  CheckpointFile file;
  RETURN_IF_ERROR(file.SetHeader(snapshot.header));
  AddSections(snapshot, "", &file);
  return WriteCheckpointFile(path, file);
}

absl::StatusOr<ShardSnapshot> LoadShardSnapshot(const std::string& path) {
  ASSIGN_OR_RETURN(const CheckpointFile file, ReadCheckpointFile(path, kKind));
  ShardCheckpoint header;
  if (const absl::Status parsed = file.ParseHeader(&header); !parsed.ok())
    return absl::DataLossError(absl::StrCat(path, ": ", parsed.message()));
  absl::StatusOr<ShardSnapshot> snapshot = SnapshotFromSections(file, "", std::move(header));
  if (snapshot.ok()) return snapshot;
  return absl::Status(snapshot.status().code(), absl::StrCat(path, ": ", snapshot.status().message()));
}

}  // namespace downpour
