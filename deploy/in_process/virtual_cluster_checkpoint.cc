// Where on the data's way: one file with a header and the vectors of all shards and replicas.
#include "deploy/in_process/virtual_cluster_checkpoint.h"

#include <cmath>
#include <set>
#include <tuple>

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

using Event = VirtualClusterCheckpoint::Event;

// `events` are the kinds of the replica's events still to come; those of one kind are of different shards.
absl::Status CheckReplica(const VirtualClusterCheckpoint::Replica& replica, int shards,
                          const std::multiset<Event::Kind>& events) {
  const Event::Kind kind = events.empty() ? Event::REPORT : *events.begin();
  const bool transfers = kind == Event::FETCHED || kind == Event::PUSHED;
  const auto count = static_cast<int>(events.size());
  const bool one_thing = replica.waiting() ? count == 0 : count > 0 && (transfers || count == 1);
  const int transfers_left = transfers ? count : 0;
  const ReplicaState& model = replica.model();
  const bool fetched = model.fetched_versions_size() == shards;
  const bool pushes = kind == Event::PUSHED || kind == Event::ACKNOWLEDGED;
  const bool computes = kind == Event::COMPUTED && !replica.has_computed();
  if (one_thing && events.count(kind) == events.size() && replica.transfers_left() == transfers_left &&
      (fetched || !(pushes || computes)) && (model.accumulated() > 0 || !pushes) &&
      std::isfinite(replica.speed()) && replica.speed() > 0)
    return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("replica ", model.totals().replica_id(), replica.waiting() ? " waits" : " works", " with ",
                   count, " events to come, the first ", Event::Kind_Name(kind), ", ",
                   replica.transfers_left(), " transfers under way, ", model.fetched_versions_size(),
                   " shards fetched from, ", model.accumulated(), " gradients and speed ", replica.speed(),
                   ", want one event, or one for each transfer, and what it needs"));
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
  RETURN_IF_ERROR(file.SetHeader(header));
  return WriteCheckpointFile(path, file);
}

absl::StatusOr<VirtualClusterSnapshot> ReadVirtualCluster(const std::string& path) {
  ASSIGN_OR_RETURN(const CheckpointFile file, ReadCheckpointFile(path, kKind));
  VirtualClusterSnapshot snapshot;
  if (const absl::Status parsed = file.ParseHeader(&snapshot.header); !parsed.ok())
    return absl::DataLossError(absl::StrCat(path, ": ", parsed.message()));
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

absl::Status CheckCoherent(const VirtualClusterSnapshot& snapshot) {
  const VirtualClusterCheckpoint& header = snapshot.header;
  const auto shards = static_cast<int>(snapshot.shards.size());
  if (header.link_free_ns_size() != 2 * shards) {
    return absl::DataLossError(absl::StrCat("the checkpoint has ", header.link_free_ns_size(),
                                            " times of shards' links, want ", 2 * shards));
  }
  std::vector<std::multiset<Event::Kind>> events(header.replicas_size());
  std::set<std::tuple<uint32_t, Event::Kind, uint32_t>> seen;
  for (const Event& event : header.events()) {
    const bool fits = event.replica() < events.size() && event.shard() < snapshot.shards.size() &&
                      Event::Kind_IsValid(event.kind()) && event.time_ns() >= header.now_ns() &&
                      header.now_ns() >= 0;
    if (!fits || !seen.insert({event.replica(), event.kind(), event.shard()}).second) {
      return absl::DataLossError(absl::StrCat(
          "the checkpoint of ", header.now_ns(), " ns has the event ", event.ShortDebugString(),
          ", want one from then on, of a kind, replica and shard that there are, and no two alike"));
    }
    events[event.replica()].insert(event.kind());
  }
  for (int i = 0; i < header.replicas_size(); ++i)
    RETURN_IF_ERROR(CheckReplica(header.replicas(i), shards, events[i]));
  return absl::OkStatus();
}

VirtualClusterCheckpointer::VirtualClusterCheckpointer(std::string path,
                                                       std::function<absl::Status()> before_write,
                                                       std::function<absl::Status()> after_write)
    : path_(std::move(path)), before_write_(std::move(before_write)), after_write_(std::move(after_write)) {}

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
  RETURN_IF_ERROR(WriteVirtualCluster(path_, snapshot));
  return after_write_();
}

void VirtualClusterCheckpointer::Await() {
  if (writing_.valid()) LogFailure(writing_.get());
}

}  // namespace downpour
