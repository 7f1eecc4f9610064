// Where on the data's way: a virtual cluster at rest, in the file cluster.ckpt.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINT_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINT_H_

#include <future>

#include "server/shard/parameter_shard.h"

namespace downpour {

// The whole state of a virtual cluster between two events.
struct VirtualClusterSnapshot {
  struct Replica {
    absl::string_view parameters;  // as ParameterSnapshot::view().bytes(); empty before the first fetch
    absl::string_view gradient;    // float32, or bfloat16 if the header says so; empty if there is none
    absl::string_view residual;    // float32; empty if there is none
  };
  VirtualClusterCheckpoint header;  // without `shards`, which are in the snapshots below
  std::vector<ShardSnapshot> shards;
  std::vector<Replica> replicas;
  std::shared_ptr<const void> storage;  // what `replicas` refer to; null: the cluster's memory
};

// Statuses as WriteCheckpointFile.
absl::Status WriteVirtualCluster(const std::string& path, const VirtualClusterSnapshot& snapshot);
// Statuses as ReadCheckpointFile; DATA_LOSS also if header and sections do not fit together.
absl::StatusOr<VirtualClusterSnapshot> ReadVirtualCluster(const std::string& path);

// DATA_LOSS: no cluster can be in this state, for example with a replica that computes twice at once. What it
// passes may be wrong, but leads to a status when the run goes on, not to the program's end.
absl::Status CheckCoherent(const VirtualClusterSnapshot& snapshot);

// Writes snapshots to one file, whose last good one stays if a write fails. Its destructor waits for a write
// under way. Not thread-safe.
class VirtualClusterCheckpointer {
 public:
  // `before_write` is called before each write, on the thread that writes; if it fails, nothing is written.
  // `after_write` is called once the file is on the disk; if it fails, so does the write. What they use must
  // outlive the checkpointer. With an empty `path`, nothing is ever written.
  VirtualClusterCheckpointer(
      std::string path, std::function<absl::Status()> before_write,
      std::function<absl::Status()> after_write = [] { return absl::OkStatus(); });

  bool enabled() const { return !path_.empty(); }
  // Whether a snapshot may be given to WriteAside: false without a path, and while a write is under way.
  bool ready() const;

  // Must be ready(). Copies the replicas' vectors and writes the copy on another thread; if they have more
  // than `most_copied_bytes`, writes them before it returns. After it has returned, it does not use the
  // cluster's memory. A failure is logged, at the latest by the next write.
  void WriteAside(VirtualClusterSnapshot snapshot, size_t most_copied_bytes = size_t{1} << 30);

  // Must be enabled(). Waits for a write under way first. Statuses as WriteVirtualCluster and before_write.
  absl::Status WriteNow(const VirtualClusterSnapshot& snapshot);

 private:
  // Waits for the write under way, if there is one, and logs its failure.
  void Await();
  absl::Status Write(const VirtualClusterSnapshot& snapshot) const;

  const std::string path_;
  const std::function<absl::Status()> before_write_;
  const std::function<absl::Status()> after_write_;
  std::future<absl::Status> writing_;  // last, so that its destructor waits while the other members live
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINT_H_
