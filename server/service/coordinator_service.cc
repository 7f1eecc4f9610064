// Where on the data's way: the coordinator's end of the wire; an RPC's status becomes gRPC's.
#include "server/service/coordinator_service.h"

#include <utility>

#include "common/rpc/grpc_status.h"

namespace downpour {

absl::Time CoordinatorService::last_request() const {
  absl::MutexLock lock(&mutex_);
  return last_request_;
}

template <typename Reply>
grpc::Status CoordinatorService::Answer(absl::StatusOr<Reply> result, Reply* reply) {
  {
    absl::MutexLock lock(&mutex_);
    last_request_ = clock_->Now();
  }
  if (result.ok()) *reply = *std::move(result);
  return ToGrpcStatus(result.status());
}

grpc::Status CoordinatorService::Describe(grpc::ServerContext*, const DescribeRequest* request,
                                          DescribeReply* reply) {
  return Answer(coordinator_->Describe(*request), reply);
}

grpc::Status CoordinatorService::RegisterShard(grpc::ServerContext*, const RegisterShardRequest* request,
                                               RegisterShardReply* reply) {
  return Answer(coordinator_->RegisterShard(*request), reply);
}

grpc::Status CoordinatorService::Join(grpc::ServerContext*, const JoinRequest* request, JoinReply* reply) {
  return Answer(coordinator_->Join(*request), reply);
}

grpc::Status CoordinatorService::Report(grpc::ServerContext*, const ReportRequest* request,
                                        ReportReply* reply) {
  return Answer(coordinator_->Report(*request), reply);
}

grpc::Status CoordinatorService::Leave(grpc::ServerContext*, const LeaveRequest* request, LeaveReply* reply) {
  return Answer(coordinator_->Leave(*request), reply);
}

grpc::Status CoordinatorService::NextEvaluation(grpc::ServerContext*, const NextEvaluationRequest* request,
                                                NextEvaluationReply* reply) {
  return Answer(coordinator_->NextEvaluation(*request), reply);
}

grpc::Status CoordinatorService::RecordEvaluation(grpc::ServerContext*, const EvaluationResult* request,
                                                  RecordEvaluationReply* reply) {
  return Answer(coordinator_->RecordEvaluation(*request), reply);
}

grpc::Status CoordinatorService::GetRunStatus(grpc::ServerContext*, const RunStatusRequest* request,
                                              RunStatus* reply) {
  return Answer(coordinator_->GetRunStatus(*request), reply);
}

}  // namespace downpour
