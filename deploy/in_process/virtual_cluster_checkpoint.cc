// Where on the data's way: one checkpoint file with a header, the sections of every shard and those of
// every replica.
#include "deploy/in_process/virtual_cluster_checkpoint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/shard/checkpointer.h"
#include "server/storage/checkpoint_file.h"

namespace downpour {
namespace {

constexpr char kKind[] = "downpour.VirtualClusterCheckpoint";

std::string ShardPrefix(size_t shard) { return absl::StrCat("shard ", shard, "/"); }
std::string ReplicaSection(size_t replica, absl::string_view name) {
  return absl::StrCat("replica ", replica, "/", name);
}

}  // namespace

absl::Status WriteVirtualCluster(const std::string& path, const VirtualClusterSnapshot& snapshot) {
  VirtualClusterCheckpoint header = snapshot.header;
  CheckpointFile file;
  for (size_t i = 0; i < snapshot.shards.size(); ++i) {
    *header.add_shards() = snapshot.shards[i].header;
    AddSections(snapshot.shards[i], ShardPrefix(i), &file);
  }
  for (size_t i = 0; i < snapshot.replicas.size(); ++i) {
    const VirtualClusterSnapshot::Replica& replica = snapshot.replicas[i];
    file.sections.push_back({ReplicaSection(i, "parameters"), replica.parameters});
    if (!replica.gradient.empty()) file.sections.push_back({ReplicaSection(i, "gradient"), replica.gradient});
    if (!replica.residual.empty()) file.sections.push_back({ReplicaSection(i, "residual"), replica.residual});
  }
  file.kind = kKind;
  file.header = header.SerializeAsString();
  return WriteCheckpointFile(path, file);
}

absl::StatusOr<VirtualClusterSnapshot> ReadVirtualCluster(const std::string& path) {
  ASSIGN_OR_RETURN(const CheckpointFile file, ReadCheckpointFile(path, kKind));
  VirtualClusterSnapshot snapshot;
  if (!snapshot.header.ParseFromString(file.header)) {
    return absl::DataLossError(absl::StrCat(path, ": the header is no ", kKind));
  }
  for (int i = 0; i < snapshot.header.shards_size(); ++i) {
    ASSIGN_OR_RETURN(snapshot.shards.emplace_back(),
                     SnapshotFromSections(file, ShardPrefix(i), snapshot.header.shards(i)));
  }
  for (int i = 0; i < snapshot.header.replicas_size(); ++i) {
    VirtualClusterSnapshot::Replica& replica = snapshot.replicas.emplace_back();
    ASSIGN_OR_RETURN(replica.parameters, file.Find(ReplicaSection(i, "parameters")));
    if (snapshot.header.replicas(i).model().accumulated() > 0) {
      ASSIGN_OR_RETURN(replica.gradient, file.Find(ReplicaSection(i, "gradient")));
    }
    if (snapshot.header.replicas(i).has_residual()) {
      ASSIGN_OR_RETURN(replica.residual, file.Find(ReplicaSection(i, "residual")));
    }
  }
  snapshot.header.clear_shards();
  snapshot.storage = file.storage;
  return snapshot;
}

}  // namespace downpour
