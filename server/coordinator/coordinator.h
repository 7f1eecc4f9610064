// Where on the data's way: beside it; who is in the cluster, which data slice is whose, when to stop, the accuracy log.
#ifndef DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_
#define DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "proto/checkpoint.pb.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// Receives what belongs in the run folder; see server/coordinator/run_log.h for the one that writes it.
class RunObserver;

// One run's coordinator: a thread-safe state machine over the messages of proto/coordinator.proto, with the statuses
// documented there. Never blocks and never touches the disk; all its state is one CoordinatorCheckpoint.
class Coordinator {
 public:
  struct Options {
    RunDescription description;
    std::string run_id;
    Clock* clock = nullptr;             // not owned; decides who is dead and gives virtual_s
    Clock* wall_clock = nullptr;        // not owned; gives wall_s
    RunObserver* observer = nullptr;    // not owned; called outside the lock, in order
  };

  static absl::StatusOr<std::unique_ptr<Coordinator>> Create(Options options);
  // FAILED_PRECONDITION: the checkpoint is of another run than the description's (budget, evaluation and checkpoint
  // settings may differ).
  static absl::StatusOr<std::unique_ptr<Coordinator>> Restore(Options options, const CoordinatorCheckpoint& checkpoint);

  absl::StatusOr<DescribeReply> Describe(const DescribeRequest& request);
  absl::StatusOr<RegisterShardReply> RegisterShard(const RegisterShardRequest& request);
  absl::StatusOr<JoinReply> Join(const JoinRequest& request);
  absl::StatusOr<ReportReply> Report(const ReportRequest& request);
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request);
  absl::StatusOr<NextEvaluationReply> NextEvaluation(const NextEvaluationRequest& request);
  absl::StatusOr<RecordEvaluationReply> RecordEvaluation(const EvaluationResult& request);
  absl::StatusOr<RunStatus> GetRunStatus(const RunStatusRequest& request);

  // Takes replicas for dead whose last report is older than replica_timeout_s, and deals their slices again.
  void RemoveDeadReplicas();

  CoordinatorCheckpoint Checkpoint() const;

 private:
  // (the implementer's)
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_H_
