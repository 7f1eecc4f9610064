// Where on the data's way: the coordinator; deals data slices to replicas, says when to evaluate and stop.
#ifndef DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_
#define DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_

#include <memory>
#include <optional>

#include "absl/synchronization/mutex.h"
#include "server/coordinator/barrier.h"
#include "server/coordinator/data_slices.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/replica_tokens.h"
#include "server/coordinator/run_observer.h"
#include "server/coordinator/run_progress.h"
#include "server/coordinator/shard_views.h"
#include "server/coordinator/shard_watch.h"

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
    // Whether checkpoints are written. If so, STOP and FINISHED wait until CheckpointWritten() says that the
    // state behind them is on disk: who is told them does not ask again, so a crash must not undo it.
    bool checkpointed = false;
    std::string run_secret = {};  // of the tokens (common/tls/token.h); empty: none are given or wanted
    int max_replicas = 10'000;    // in the cluster at one time; more are not let in
  };

  // INVALID_ARGUMENT: run_id is empty.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Create(Options options);
  // Goes on from the checkpoint; replicas in it have what was left of their replica_timeout_s to come back.
  // FAILED_PRECONDITION: the checkpoint is of another run than the options' (by CheckSameProcessRun).
  // INVALID_ARGUMENT: the checkpoint contradicts itself; the message says where.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Restore(Options options,
                                                              const CoordinatorCheckpoint& checkpoint);

  const std::string& run_id() const { return options_.run_id; }

  absl::StatusOr<DescribeReply> Describe(const DescribeRequest& request);
  // A shard that wants no index gets the one that its address has, or else the lowest free one. A view is
  // told only once CheckpointWritten() says that it is on disk, if checkpoints are written.
  absl::StatusOr<RegisterShardReply> RegisterShard(const RegisterShardRequest& request);
  // The first replica's data summary fixes the layout, even if its Join is answered UNAVAILABLE. An
  // evaluator's never does; once the layout is known, it need not bring one. INVALID_ARGUMENT also: as
  // CheckName and CheckDataSummary.
  absl::StatusOr<JoinReply> Join(const JoinRequest& request);
  // A report that is not newer than the last changes nothing; if the last one is repeated, it gets the same
  // slice again. One that is still_busy changes nothing either. INVALID_ARGUMENT, and nothing changes: the
  // report's number is 0, or as CheckSketch and AdvanceTotals, or it finishes more than
  // DataSlices::kMostLeases slices. NOT_FOUND also: as AdvanceTotals, but the replica is known from a
  // checkpoint only, so that the reports which would explain its totals may be lost; or it wants a slice and
  // holds kMostLeases, and is removed with them.
  absl::StatusOr<ReportReply> Report(const ReportRequest& request);
  // A replica or incarnation that is not in the cluster changes nothing, and that is OK.
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request);
  // One evaluator at a time gets EVALUATE. If its result stays away for replica_timeout_s (by `clock`), the
  // next call gets EVALUATE again, so that a restarted evaluator gets it too; `updates` and the log line are
  // then as of that call. WAIT: none is due, or a shard is missing. STOP: the last one is recorded.
  absl::StatusOr<NextEvaluationReply> NextEvaluation(const NextEvaluationRequest& request);
  // A result changes nothing if its evaluation is not under way: it is recorded already, was handed out again
  // since, or was handed out before the coordinator was restored from an older checkpoint.
  // INVALID_ARGUMENT: as CheckEvaluationResult.
  absl::StatusOr<RecordEvaluationReply> RecordEvaluation(const EvaluationResult& request);
  // FINISHED: the budget is reached and the last evaluation is recorded.
  absl::StatusOr<RunStatus> GetRunStatus(const RunStatusRequest& request);
  absl::StatusOr<Overview> GetOverview(const OverviewRequest& request);
  // Of all pushes of the run so far.
  StalenessHistogram Staleness() const;

  // As Barrier::Pace, and 0 until the warm start is over.
  std::optional<uint64_t> Pace() const;

  // Takes a replica for dead if its last report is older than replica_timeout_s; its slices are dealt again.
  void RemoveDeadReplicas();
  // Logs each shard that has become lost (ShardWatch); it keeps its place. To be called once a second.
  void LookForLostShards();

  // The observer has been told of all that the checkpoint holds.
  CoordinatorCheckpoint Checkpoint() const;
  // Call it when a Checkpoint() is on disk.
  void CheckpointWritten(const CoordinatorCheckpoint& checkpoint);

 private:
  explicit Coordinator(Options options);
  absl::Status Load(const CoordinatorCheckpoint& checkpoint);
  absl::Status FixData(const DataSummary& data) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<JoinReply> JoinLocked(const JoinRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRunId(const std::string& run_id) const;
  void WatchShard(const ShardAddress& shard, const ShardActivity* activity)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  RunStatus StatusNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WarmStartIsOver() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Whether so many replicas may work, by cluster.join_every_updates. It must not be asked in the warm start.
  bool MayBegin(uint64_t replica_id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  ReportReply::Directive DirectiveFor(MembershipState::Replica* replica)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(uint64_t replica_id, const char* why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const ReplicaTokens tokens_;
  // Held from a change until the observer knows of it: calls keep their order, no checkpoint is in between.
  mutable absl::Mutex observer_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  std::optional<DataSummary> data_ ABSL_GUARDED_BY(mutex_);
  std::optional<DataSlices> slices_ ABSL_GUARDED_BY(mutex_);  // set with data_
  RunIdentity run_ ABSL_GUARDED_BY(mutex_);                   // set with data_
  ShardViews views_ ABSL_GUARDED_BY(mutex_);
  ShardWatch shard_watch_ ABSL_GUARDED_BY(mutex_);
  Membership membership_ ABSL_GUARDED_BY(mutex_);
  RunProgress progress_ ABSL_GUARDED_BY(mutex_);
  Barrier barrier_ ABSL_GUARDED_BY(mutex_);
  uint64_t warm_start_replica_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: none chosen
  bool budget_on_disk_ ABSL_GUARDED_BY(mutex_);              // a checkpoint on disk says that it is reached
  bool final_on_disk_ ABSL_GUARDED_BY(mutex_);               // likewise that the last evaluation is recorded
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_
