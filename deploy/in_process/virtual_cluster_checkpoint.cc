// Where on the data's way: one file with a header and the vectors of all shards and replicas.
#include "deploy/in_process/virtual_cluster_checkpoint.h"

#include "absl/strings/str_cat.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "server/shard/checkpointer.h"

namespace downpour {
namespace {

constexpr char kKind[] = "downpour.VirtualClusterCheckpoint";

std::string ShardPrefix(size_t shard) { return absl::StrCat("shard ", shard, "/"); }
std::string ReplicaSection(size_t replica, absl::string_view name) {
  return absl::StrCat("replica ", replica, "/", name);
}

// Gives the snapshot storage of its own, or returns false where that would take more than `most_bytes`.
bool CopyReplicas(size_t most_bytes, VirtualClusterSnapshot* snapshot) {
  size_t size = 0;
  for (const auto& replica : snapshot->replicas)
    size += replica.parameters.size() + replica.gradient.size() + replica.residual.size();
  if (size > most_bytes) return false;
  auto storage = std::make_shared<std::string>();
  storage->reserve(size);
  for (auto& replica : snapshot->replicas) {
    for (absl::string_view* part : {&replica.parameters, &replica.gradient, &replica.residual}) {
      const size_t begin = storage->size();
      storage->append(part->data(), part->size());
      *part = {storage->data() + begin, part->size()};
    }
  }
  snapshot->storage = std::move(storage);
  return true;
}

void LogFailure(const absl::Status& status) {
  if (!status.ok()) LogWarning("no checkpoint this time, the last good one stays: ", status.message());
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

VirtualClusterCheckpointer::VirtualClusterCheckpointer(std::string path,
                                                       std::function<absl::Status()> before_write)
    : path_(std::move(path)), before_write_(std::move(before_write)) {}

bool VirtualClusterCheckpointer::ready() const {
  return enabled() &&
         (!writing_.valid() || writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
}

void VirtualClusterCheckpointer::WriteAside(VirtualClusterSnapshot snapshot, size_t most_copied_bytes) {
  Await();
  if (!CopyReplicas(most_copied_bytes, &snapshot)) return LogFailure(Write(snapshot));
  // The task empties the snapshot it holds, so that the copy of all replicas is freed once it is written.
  writing_ = std::async(std::launch::async, [this, snapshot = std::move(snapshot)]() mutable {
    return Write(std::exchange(snapshot, {}));
  });
}

absl::Status VirtualClusterCheckpointer::WriteNow(const VirtualClusterSnapshot& snapshot) {
  Await();
  return Write(snapshot);
}

absl::Status VirtualClusterCheckpointer::Write(const VirtualClusterSnapshot& snapshot) const {
  RETURN_IF_ERROR(before_write_());
  return WriteVirtualCluster(path_, snapshot);
}

void VirtualClusterCheckpointer::Await() {
  if (writing_.valid()) LogFailure(writing_.get());
}

}  // namespace downpour
