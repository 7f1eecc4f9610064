// Where on the data's way: from replicas and evaluators to the coordinator, in-process or over gRPC.
#ifndef DOWNPOUR_WORKER_REPLICA_COORDINATOR_CLIENT_H_
#define DOWNPOUR_WORKER_REPLICA_COORDINATOR_CLIENT_H_

#include "absl/status/statusor.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// Each call is the RPC of the same name in proto/coordinator.proto, with the statuses documented there, and
// UNAVAILABLE where the coordinator cannot be reached. Thread-safe.
class CoordinatorClient {
 public:
  virtual ~CoordinatorClient() = default;
  virtual absl::StatusOr<DescribeReply> Describe(const DescribeRequest& request) = 0;
  virtual absl::StatusOr<JoinReply> Join(const JoinRequest& request) = 0;
  virtual absl::StatusOr<ReportReply> Report(const ReportRequest& request) = 0;
  virtual absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request) = 0;
  virtual absl::StatusOr<NextEvaluationReply> NextEvaluation(const NextEvaluationRequest& request) = 0;
  virtual absl::StatusOr<RecordEvaluationReply> RecordEvaluation(const EvaluationResult& request) = 0;
  virtual absl::StatusOr<RunStatus> GetRunStatus(const RunStatusRequest& request) = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_COORDINATOR_CLIENT_H_
