// Where on the data's way: between replica, shard and coordinator of one process: a call, not a wire.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_CLIENTS_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_CLIENTS_H_

#include "server/coordinator/coordinator.h"
#include "server/shard/parameter_shard.h"
#include "worker/replica/coordinator_client.h"
#include "worker/replica/shard_client.h"

namespace downpour {

// Pushes and fetches in chunks, so that pushes of other replicas come in between as they do over a wire.
class InProcessShardClient final : public ShardClient {
 public:
  // `shard` is not owned.
  InProcessShardClient(ParameterShard* shard, RunKey run) : shard_(shard), run_(std::move(run)) {}

  KeyRange range() const override { return shard_->range(); }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) override {
    return Push(header, planes, {});
  }
  // With the parameters that the gradient was computed at, for an optimizer with a compensation; else empty.
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes, TensorView fetched);
  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override;

 private:
  ParameterShard* shard_;
  RunKey run_;
};

class InProcessCoordinatorClient final : public CoordinatorClient {
 public:
  // `coordinator` is not owned.
  explicit InProcessCoordinatorClient(Coordinator* coordinator) : coordinator_(coordinator) {}

  absl::StatusOr<DescribeReply> Describe(const DescribeRequest& request) override {
    return coordinator_->Describe(request);
  }
  absl::StatusOr<JoinReply> Join(const JoinRequest& request) override { return coordinator_->Join(request); }
  absl::StatusOr<ReportReply> Report(const ReportRequest& request) override {
    return coordinator_->Report(request);
  }
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request) override {
    return coordinator_->Leave(request);
  }
  absl::StatusOr<NextEvaluationReply> NextEvaluation(const NextEvaluationRequest& request) override {
    return coordinator_->NextEvaluation(request);
  }
  absl::StatusOr<RecordEvaluationReply> RecordEvaluation(const EvaluationResult& request) override {
    return coordinator_->RecordEvaluation(request);
  }
  absl::StatusOr<RunStatus> GetRunStatus(const RunStatusRequest& request) override {
    return coordinator_->GetRunStatus(request);
  }

 private:
  Coordinator* coordinator_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_IN_PROCESS_CLIENTS_H_
