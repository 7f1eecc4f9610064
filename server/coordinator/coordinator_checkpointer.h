// Where on the data's way: the coordinator's state at rest; when it is written and how it is read back.
#ifndef DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_CHECKPOINTER_H_
#define DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_CHECKPOINTER_H_

#include "common/clock.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/run_log.h"
#include "server/storage/periodic_writer.h"

namespace downpour {

// Statuses as ReadCheckpointFile; DATA_LOSS also: the header is no CoordinatorCheckpoint.
absl::StatusOr<CoordinatorCheckpoint> LoadCoordinatorCheckpoint(const std::string& path);

// When a checkpoint is due: at a milestone that the last one lacks, and every kInterval; after a failed write
// only the latter, as the next would likely fail too. A pure state machine; not thread-safe.
class CheckpointSchedule {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(3);

  explicit CheckpointSchedule(absl::Time now) : next_(now + kInterval) {}
  bool Due(absl::Time now, const std::string& milestones) const {
    return now >= next_ || (!failed_ && milestones != written_milestones_);
  }
  void Tried(absl::Time now, const std::string& milestones, bool written);

 private:
  absl::Time next_;
  bool failed_ = false;
  std::string written_milestones_;
};

// Writes the coordinator's checkpoint from a thread of its own, as CheckpointSchedule says. A failed write is
// logged and leaves the last good file. Thread-safe.
class CoordinatorCheckpointer {
 public:
  // `coordinator`, `log` and `clock` are not owned and must outlive it.
  CoordinatorCheckpointer(Coordinator* coordinator, RunLog* log, std::string path, Clock* clock);

  // Statuses as WriteCheckpointFile and RunLog::Flush. A clean end calls this: the destructor writes nothing.
  absl::Status CheckpointNow() { return writer_.WriteNow(); }
  const PeriodicWriter& writer() const { return writer_; }

 private:
  absl::Status Write();

  Coordinator* const coordinator_;
  RunLog* const log_;
  const std::string path_;
  Clock* const clock_;
  CheckpointSchedule schedule_;  // used by what writer_ calls, one call at a time
  PeriodicWriter writer_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_CHECKPOINTER_H_
