// Where on the data's way: a run at rest; begins a run in its folder or resumes the one it holds.
#ifndef DOWNPOUR_SERVER_COORDINATOR_RUN_FOLDER_H_
#define DOWNPOUR_SERVER_COORDINATOR_RUN_FOLDER_H_

#include "server/coordinator/coordinator.h"
#include "server/coordinator/coordinator_checkpointer.h"
#include "server/coordinator/run_log.h"
#include "server/storage/folder_lock.h"

namespace downpour {

// What is done where coordinator.ckpt is missing or damaged, and its previous generation too. kFromLog is the
// flag --from_log: run_id and the last line of frame_accuracy.csv stand in for it. The shards go on from
// their own checkpoints; replicas join anew, and epochs of data and the schedule PLATEAU begin anew.
enum class LostCheckpoint { kRefused, kFromLog };

struct RunFolderOptions {
  LostCheckpoint lost = LostCheckpoint::kRefused;
  // The flag --reshard: the run may go on with another cluster.shards. Its replicas then have to join anew;
  // RecutCheckpoints() of server/shard/recut.h makes the shards' checkpoints fit.
  bool reshard = false;
};

// A coordinator with its run folder: run_id, run.textproto, RunLog's files and checkpoints/coordinator.ckpt.
class RunFolder {
 public:
  // Makes the folder if it is not there and resumes the run in it if there is one. The coordinator's
  // checkpoint is on disk when this returns. ABORTED: another process has the folder open.
  // FAILED_PRECONDITION: the run in it is another than the description's, of another kind, or without its
  // checkpoint and `lost` is kRefused; nothing is lost then. NOT_FOUND: kFromLog, but no run_id or no log.
  // INVALID_ARGUMENT: the optimizer has a compensation. UNAVAILABLE, RESOURCE_EXHAUSTED: it cannot be
  // written. DATA_LOSS: its checkpoint or log is damaged.
  static absl::StatusOr<RunFolder> Open(const std::string& folder, const RunDescription& description,
                                        Clock* clock, const RunFolderOptions& options = {});

  Coordinator& coordinator() { return *coordinator_; }
  // Statuses as CoordinatorCheckpointer::CheckpointNow.
  absl::Status CheckpointNow() { return checkpointer_->CheckpointNow(); }
  // Writes <folder>/coordinator_address, where those who watch the run find the coordinator; empty: removes
  // it. Statuses as ReplaceFile().
  absl::Status SetAddress(const std::string& address) const;
  // The run's metrics, those of the checkpoints, and of the folder's disk. Thread-safe.
  void AddMetrics(MetricFamilies* families) const;
  bool resumed() const { return resumed_; }

 private:
  RunFolder(std::string folder, Clock* clock, FolderLock lock)
      : folder_(std::move(folder)), clock_(clock), lock_(std::move(lock)) {}

  std::string folder_;
  Clock* clock_;
  FolderLock lock_;  // released last
  bool resumed_ = false;
  std::unique_ptr<RunLog> log_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<CoordinatorCheckpointer> checkpointer_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_RUN_FOLDER_H_
