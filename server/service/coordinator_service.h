// Where on the data's way: the coordinator's end of the wire; shards, replicas and evaluators ask here.
#ifndef DOWNPOUR_SERVER_SERVICE_COORDINATOR_SERVICE_H_
#define DOWNPOUR_SERVER_SERVICE_COORDINATOR_SERVICE_H_

#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/program/host_port.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "proto/coordinator.grpc.pb.h"
#include "server/coordinator/coordinator.h"

namespace downpour {

// Hands each RPC to the coordinator, which never blocks, and sends its answer back. Who may call which RPC is
// checked before it gets here (common/rpc/credentials.h); what depends on the request, here. Thread-safe.
class CoordinatorService final : public ClusterCoordinator::Service {
 public:
  // Neither is owned; both must outlive the service.
  CoordinatorService(Coordinator* coordinator, Clock* clock)
      : coordinator_(coordinator), clock_(clock), last_request_(clock->Now()) {}

  // When the last RPC was answered; before the first one, when the service was made.
  absl::Time last_request() const {
    absl::MutexLock lock(&mutex_);
    return last_request_;
  }

 private:
  using Context = grpc::ServerContext;

  grpc::Status Describe(Context*, const DescribeRequest* request, DescribeReply* reply) override {
    return Answer(coordinator_->Describe(*request), reply);
  }
  grpc::Status RegisterShard(Context* context, const RegisterShardRequest* request,
                             RegisterShardReply* reply) override {
    const Caller caller = CallerOf(*context->auth_context());
    if (caller.proven() && !request->has_shard())
      return ToGrpcStatus(
          absl::InvalidArgumentError("shard is missing, want the index of the certificate's role"));
    const absl::Status allowed = caller.CheckIsShard(request->shard(), "to serve a shard");
    if (!allowed.ok()) return ToGrpcStatus(allowed);
    // gRPC itself would also take unix:path as an address.
    const absl::StatusOr<HostPort> address = ParseHostPort(request->address());
    if (!address.ok()) return ToGrpcStatus(address.status());
    if (address->port == 0)
      return ToGrpcStatus(absl::InvalidArgumentError("address has port 0, want another"));
    return Answer(coordinator_->RegisterShard(*request), reply);
  }
  grpc::Status Join(Context* context, const JoinRequest* request, JoinReply* reply) override {
    const absl::Status allowed = CheckMayJoin(CallerOf(*context->auth_context()), request->evaluator());
    if (!allowed.ok()) return ToGrpcStatus(allowed);
    return Answer(coordinator_->Join(*request), reply);
  }
  grpc::Status Report(Context*, const ReportRequest* request, ReportReply* reply) override {
    return Answer(coordinator_->Report(*request), reply);
  }
  grpc::Status Leave(Context*, const LeaveRequest* request, LeaveReply* reply) override {
    return Answer(coordinator_->Leave(*request), reply);
  }
  grpc::Status NextEvaluation(Context*, const NextEvaluationRequest* request,
                              NextEvaluationReply* reply) override {
    return Answer(coordinator_->NextEvaluation(*request), reply);
  }
  grpc::Status RecordEvaluation(Context*, const EvaluationResult* request,
                                RecordEvaluationReply* reply) override {
    return Answer(coordinator_->RecordEvaluation(*request), reply);
  }
  grpc::Status GetRunStatus(Context*, const RunStatusRequest* request, RunStatus* reply) override {
    return Answer(coordinator_->GetRunStatus(*request), reply);
  }
  // Of people who watch: they do not keep a coordinator whose run is over.
  grpc::Status GetOverview(Context*, const OverviewRequest* request, Overview* reply) override {
    *reply = *coordinator_->GetOverview(*request);
    return grpc::Status::OK;
  }

  template <typename Reply>
  grpc::Status Answer(absl::StatusOr<Reply> result, Reply* reply) {
    {
      absl::MutexLock lock(&mutex_);
      last_request_ = clock_->Now();
    }
    if (!result.ok()) return ToGrpcStatus(result.status());
    *reply = *std::move(result);
    return grpc::Status::OK;
  }

  Coordinator* const coordinator_;
  Clock* const clock_;
  mutable absl::Mutex mutex_;
  absl::Time last_request_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_COORDINATOR_SERVICE_H_
