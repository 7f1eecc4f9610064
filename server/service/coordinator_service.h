// Where on the data's way: the coordinator's end of the wire; shards, replicas and evaluators ask here.
#ifndef DOWNPOUR_SERVER_SERVICE_COORDINATOR_SERVICE_H_
#define DOWNPOUR_SERVER_SERVICE_COORDINATOR_SERVICE_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "proto/coordinator.grpc.pb.h"
#include "server/coordinator/coordinator.h"

namespace downpour {

// Hands each RPC to the coordinator, which never blocks, and sends its answer back. Thread-safe.
class CoordinatorService final : public ClusterCoordinator::Service {
 public:
  // Neither is owned; both must outlive the service.
  CoordinatorService(Coordinator* coordinator, Clock* clock)
      : coordinator_(coordinator), clock_(clock), last_request_(clock->Now()) {}

  // When the last RPC was answered; before the first one, when the service was made.
  absl::Time last_request() const;

 private:
  grpc::Status Describe(grpc::ServerContext*, const DescribeRequest* request, DescribeReply* reply) override;
  grpc::Status RegisterShard(grpc::ServerContext*, const RegisterShardRequest* request,
                             RegisterShardReply* reply) override;
  grpc::Status Join(grpc::ServerContext*, const JoinRequest* request, JoinReply* reply) override;
  grpc::Status Report(grpc::ServerContext*, const ReportRequest* request, ReportReply* reply) override;
  grpc::Status Leave(grpc::ServerContext*, const LeaveRequest* request, LeaveReply* reply) override;
  grpc::Status NextEvaluation(grpc::ServerContext*, const NextEvaluationRequest* request,
                              NextEvaluationReply* reply) override;
  grpc::Status RecordEvaluation(grpc::ServerContext*, const EvaluationResult* request,
                                RecordEvaluationReply* reply) override;
  grpc::Status GetRunStatus(grpc::ServerContext*, const RunStatusRequest* request, RunStatus* reply) override;

  template <typename Reply>
  grpc::Status Answer(absl::StatusOr<Reply> result, Reply* reply);

  Coordinator* const coordinator_;
  Clock* const clock_;
  mutable absl::Mutex mutex_;
  absl::Time last_request_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_COORDINATOR_SERVICE_H_
