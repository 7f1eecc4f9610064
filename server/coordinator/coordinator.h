// Where on the data's way: beside it; who is in the cluster, which data slice is whose, when to stop, the
// accuracy log.
#ifndef DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_
#define DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "proto/checkpoint.pb.h"
#include "proto/coordinator.pb.h"
#include "server/coordinator/data_slices.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/run_observer.h"
#include "server/coordinator/run_progress.h"

namespace downpour {

// One run's coordinator: a thread-safe state machine over the messages of proto/coordinator.proto, with the
// statuses documented there. Never blocks and never touches the disk; all its state is one
// CoordinatorCheckpoint. Its answers depend on the order of the calls and the clock alone.
class Coordinator {
 public:
  struct Options {
    RunDescription description;         // valid by ValidateRunDescription
    std::string run_id;                 // not empty
    Clock* clock = Clock::Real();       // not owned; decides who is dead and gives virtual_s
    Clock* wall_clock = Clock::Real();  // not owned; gives wall_s
    RunObserver* observer = nullptr;    // not owned, may be null; called outside the lock, in order
    // STOP and FINISHED wait until CheckpointWritten() says that what they rest on will outlive a crash:
    // whoever was told does not come back.
    bool checkpointed = false;
  };

  // INVALID_ARGUMENT: run_id is empty.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Create(Options options);
  // Goes on from the checkpoint; replicas in it have what was left of their replica_timeout_s to come back.
  // FAILED_PRECONDITION: the checkpoint is of another run than the options' (by CheckSameProcessRun).
  // INVALID_ARGUMENT: the checkpoint contradicts itself; the message says where.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Restore(Options options,
                                                              const CoordinatorCheckpoint& checkpoint);

  absl::StatusOr<DescribeReply> Describe(const DescribeRequest& request);
  // A shard without a wanted index gets that of its address, if it was registered before, or the lowest
  // free one.
  absl::StatusOr<RegisterShardReply> RegisterShard(const RegisterShardRequest& request);
  // The first data summary, be it an evaluator's or of a Join that is answered UNAVAILABLE, fixes the layout.
  // An evaluator may do without once the layout is known.
  absl::StatusOr<JoinReply> Join(const JoinRequest& request);
  // A report that is not newer than the last changes nothing; the last one repeated gets the same slice
  // again. INVALID_ARGUMENT: report number 0, a sketch of another size or not finite, or as AdvanceTotals;
  // nothing changes.
  absl::StatusOr<ReportReply> Report(const ReportRequest& request);
  // Always OK; a replica or incarnation not in the cluster changes nothing.
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request);
  // EVALUATE to one evaluator at a time, and again if its result stays away for replica_timeout_s (by
  // `clock`), so that a restarted evaluator gets it too; `updates` and the log line are then as of the latest
  // call. WAIT before all shards are registered. STOP once the last is recorded.
  absl::StatusOr<NextEvaluationReply> NextEvaluation(const NextEvaluationRequest& request);
  // A result of an evaluation that is not under way (recorded already, handed out again since, or handed out
  // before the coordinator was restored from an older checkpoint) changes nothing.
  absl::StatusOr<RecordEvaluationReply> RecordEvaluation(const EvaluationResult& request);
  // FINISHED: budget reached and the last evaluation recorded.
  absl::StatusOr<RunStatus> GetRunStatus(const RunStatusRequest& request);

  // Takes replicas for dead whose last report is older than replica_timeout_s, and deals their slices again.
  void RemoveDeadReplicas();

  // Whatever it holds the observer has been told.
  CoordinatorCheckpoint Checkpoint() const;
  // Call when a Checkpoint() is on disk.
  void CheckpointWritten(const CoordinatorCheckpoint& checkpoint);

 private:
  explicit Coordinator(Options options);
  absl::Status Load(const CoordinatorCheckpoint& checkpoint);
  absl::Status FixData(const DataSummary& data) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<JoinReply> JoinLocked(const JoinRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRunId(const std::string& run_id) const;
  absl::Status ShardsComplete() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<uint32_t> ShardIndex(const RegisterShardRequest& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ReportReply::Directive DirectiveFor(uint64_t replica_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(uint64_t replica_id, const char* why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  // Held from a change until the observer knows of it: keeps its calls in order, and checkpoints out
  // of between.
  mutable absl::Mutex observer_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  std::optional<DataSummary> data_ ABSL_GUARDED_BY(mutex_);
  std::optional<DataSlices> slices_ ABSL_GUARDED_BY(mutex_);        // as soon as data_
  RunIdentity run_ ABSL_GUARDED_BY(mutex_);                         // likewise
  std::map<uint32_t, std::string> shards_ ABSL_GUARDED_BY(mutex_);  // index -> address
  Membership membership_ ABSL_GUARDED_BY(mutex_);
  RunProgress progress_ ABSL_GUARDED_BY(mutex_);
  uint64_t warm_start_replica_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: none chosen
  bool budget_on_disk_ ABSL_GUARDED_BY(mutex_);              // that it is reached
  bool final_on_disk_ ABSL_GUARDED_BY(mutex_);               // that the last evaluation is recorded
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_
