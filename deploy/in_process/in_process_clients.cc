// Where on the data's way: checks the vector's size, then applies a push to the shard chunk by chunk.
#include "deploy/in_process/in_process_clients.h"

#include <algorithm>

#include "common/status_macros.h"

namespace downpour {

absl::StatusOr<PushOutcome> InProcessShardClient::Push(const PushHeader& header, TensorView gradient) {
  RETURN_IF_ERROR(shard_->CheckRun(run_));
  RETURN_IF_ERROR(CheckSize(gradient.size()));
  PushOutcome outcome;
  for (int64_t begin = 0; begin < range().size(); begin += ParameterShard::kSegmentElements) {
    const TensorView segment =
        gradient[{begin, std::min(begin + ParameterShard::kSegmentElements, range().size())}];
    ASSIGN_OR_RETURN(outcome, shard_->ApplyChunk(header, range().begin + begin, segment));
  }
  return outcome;
}

absl::StatusOr<uint64_t> InProcessShardClient::Fetch(MutableTensorView parameters) {
  RETURN_IF_ERROR(shard_->CheckRun(run_));
  RETURN_IF_ERROR(CheckSize(parameters.size()));
  const uint64_t version = shard_->version();
  RETURN_IF_ERROR(shard_->Read(range(), parameters));
  return version;
}

absl::StatusOr<DescribeReply> InProcessCoordinatorClient::Describe(const DescribeRequest& request) {
  return coordinator_->Describe(request);
}

absl::StatusOr<JoinReply> InProcessCoordinatorClient::Join(const JoinRequest& request) {
  return coordinator_->Join(request);
}

absl::StatusOr<ReportReply> InProcessCoordinatorClient::Report(const ReportRequest& request) {
  return coordinator_->Report(request);
}

absl::StatusOr<LeaveReply> InProcessCoordinatorClient::Leave(const LeaveRequest& request) {
  return coordinator_->Leave(request);
}

absl::StatusOr<NextEvaluationReply> InProcessCoordinatorClient::NextEvaluation(
    const NextEvaluationRequest& request) {
  return coordinator_->NextEvaluation(request);
}

absl::StatusOr<RecordEvaluationReply> InProcessCoordinatorClient::RecordEvaluation(
    const EvaluationResult& request) {
  return coordinator_->RecordEvaluation(request);
}

absl::StatusOr<RunStatus> InProcessCoordinatorClient::GetRunStatus(const RunStatusRequest& request) {
  return coordinator_->GetRunStatus(request);
}

}  // namespace downpour
