// Where on the data's way: requests of replicas and evaluators go to the coordinator over gRPC.
#ifndef DOWNPOUR_WORKER_TRANSPORT_GRPC_COORDINATOR_CLIENT_H_
#define DOWNPOUR_WORKER_TRANSPORT_GRPC_COORDINATOR_CLIENT_H_

#include <utility>

#include "common/rpc/coordinator_stub.h"
#include "worker/replica/coordinator_client.h"

namespace downpour {

// CoordinatorClient over gRPC, which retries as its options say. Thread-safe.
class GrpcCoordinatorClient final : public CoordinatorClient {
 public:
  explicit GrpcCoordinatorClient(CoordinatorStub::Options options) : stub_(std::move(options)) {}

  absl::StatusOr<DescribeReply> Describe(const DescribeRequest& request) override {
    return stub_.Call(&ClusterCoordinator::Stub::Describe, request);
  }
  absl::StatusOr<JoinReply> Join(const JoinRequest& request) override {
    return stub_.Call(&ClusterCoordinator::Stub::Join, request);
  }
  absl::StatusOr<ReportReply> Report(const ReportRequest& request) override {
    return stub_.Call(&ClusterCoordinator::Stub::Report, request);
  }
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request) override {
    return stub_.Call(&ClusterCoordinator::Stub::Leave, request);
  }
  absl::StatusOr<NextEvaluationReply> NextEvaluation(const NextEvaluationRequest& request) override {
    return stub_.Call(&ClusterCoordinator::Stub::NextEvaluation, request);
  }
  absl::StatusOr<RecordEvaluationReply> RecordEvaluation(const EvaluationResult& request) override {
    return stub_.Call(&ClusterCoordinator::Stub::RecordEvaluation, request);
  }
  absl::StatusOr<RunStatus> GetRunStatus(const RunStatusRequest& request) override {
    return stub_.Call(&ClusterCoordinator::Stub::GetRunStatus, request);
  }

 private:
  CoordinatorStub stub_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_TRANSPORT_GRPC_COORDINATOR_CLIENT_H_
