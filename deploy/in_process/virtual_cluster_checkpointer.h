// Where on the data's way: in the virtual cluster, from snapshots to the file cluster.ckpt while the run
// goes on.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINTER_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINTER_H_

#include <functional>
#include <future>
#include <string>

#include "absl/status/status.h"
#include "deploy/in_process/virtual_cluster_checkpoint.h"

namespace downpour {

// Writes snapshots of one virtual cluster to one file. A failed write leaves the last good file.
// Not thread-safe.
class VirtualClusterCheckpointer {
 public:
  // `before_write` is called before each write, on the thread that writes; where it fails, nothing is
  // written. The caller must keep alive what it uses until the checkpointer is destroyed, which waits for a
  // write. An empty `path`: no checkpoint is ever written.
  VirtualClusterCheckpointer(std::string path, std::function<absl::Status()> before_write);

  bool enabled() const { return !path_.empty(); }
  // Whether a snapshot may be given to WriteAside: false without a path, and while a write is under way.
  bool ready() const;

  // Must be ready(). Copies the replicas' vectors if they are at most `most_copied_bytes`, and writes the
  // copy on another thread; larger ones are written before it returns. When it returns, it no longer uses the
  // cluster's memory. A failure is logged, at the latest by the next write.
  void WriteAside(VirtualClusterSnapshot snapshot, size_t most_copied_bytes = size_t{1} << 30);

  // Must be enabled(). Waits for a write under way, then writes this snapshot. Statuses as
  // WriteVirtualCluster, and before_write's.
  absl::Status WriteNow(const VirtualClusterSnapshot& snapshot);

 private:
  // Waits for the write under way, if there is one, and logs its failure.
  void Await();
  absl::Status Write(const VirtualClusterSnapshot& snapshot) const;

  const std::string path_;
  const std::function<absl::Status()> before_write_;
  std::future<absl::Status> writing_;  // last, so that its destructor waits while the other members live
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINTER_H_
