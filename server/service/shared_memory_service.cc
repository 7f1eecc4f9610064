// Where on the data's way: between the shard and replicas on its host; gives each stream a session.
#include "server/service/shared_memory_service.h"

#include <atomic>

#include "common/rpc/credentials.h"
#include "common/rpc/grpc_status.h"
#include "server/service/shared_memory_session.h"

namespace downpour {

// gRPC -> OnReadDone -> executor: Handle -> StartWrite -> gRPC -> OnWriteDone -> StartRead -> ..., until the
// stream ends. Either gRPC or the executor works on the session, never both. Deletes itself in OnDone().
class SharedMemoryService::Stream final
    : public grpc::ServerBidiReactor<SharedMemoryRequest, SharedMemoryReply> {
 public:
  Stream(SharedMemoryService* service, const Caller& caller)
      : service_(service),
        session_({.shard = &service->shard_,
                  .directory = service->options_.directory,
                  .parallel_for = service->parallel_for_,
                  .caller = caller,
                  .replica_gone = [this] { return cancelled_.load(); }}) {
    const int limit = service->options_.max_sessions;
    if (++service->sessions_ > limit) {
      Finish(ToGrpcStatus(TooMany("sessions", limit)));
    } else {
      StartRead(&request_);
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    CountUnderWay(1);
    if (!service_->executor_.TryRun([this] { Handle(); })) {
      CountUnderWay(-1);
      Finish(ToGrpcStatus(TooMany("tasks", service_->options_.max_sessions)));
    }
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      StartRead(&request_);
    } else {
      Finish(ToGrpcStatus(absl::CancelledError("the replica is gone")));
    }
  }
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  void CountUnderWay(int change) {
    if (request_.has_push()) service_->pushes_ += change;
    if (request_.has_fetch()) service_->fetches_ += change;
  }
  void Handle() {
    reply_.Clear();
    Clock* const clock = service_->options_.clock;
    const absl::Time began = clock->Now();
    const absl::Status status = session_.Answer(request_, &reply_);
    if (status.ok() && request_.has_push())
      service_->transfers_.pushes.Count(session_.TensorBytes(request_), clock->Now() - began);
    if (status.ok() && request_.has_fetch())
      service_->transfers_.fetches.Count(session_.TensorBytes(request_), clock->Now() - began);
    CountUnderWay(-1);
    if (!status.ok() && !session_.connected()) return Finish(ToGrpcStatus(status));
    reply_.set_code(static_cast<uint32_t>(status.code()));
    reply_.set_message(std::string(status.message()));
    StartWrite(&reply_);
  }

  SharedMemoryService* const service_;
  // Destroyed after session_: a session counts until it has given up the replica's memory.
  struct Uncount {
    std::atomic<int>* const sessions;
    ~Uncount() { --*sessions; }
  };
  const Uncount uncount_{&service_->sessions_};
  SharedMemoryRequest request_;
  SharedMemoryReply reply_;
  std::atomic<bool> cancelled_ = false;
  SharedMemorySession session_;
};

SharedMemoryService::SharedMemoryService(const Options& options)
    : options_(options),
      executor_(options.threads, static_cast<size_t>(options.max_sessions) * options.threads),
      parallel_for_(ParallelForOn(&executor_, options.threads - 1)) {
  RemoveDeadSockets(options.directory);
}

void SharedMemoryService::AddTo(MetricFamilies* families) const {
  transfers_.AddTo("shared_memory", families);
  families->AddGauge("downpour_shared_memory_sessions", "Replicas that are attached by shared memory.",
                     sessions_);
  AddQueueDepth("shared_memory_pushes", pushes_, families);
  AddQueueDepth("shared_memory_fetches", fetches_, families);
  AddQueueDepth("shared_memory_tasks", executor_.waiting(), families);
}

grpc::ServerBidiReactor<SharedMemoryRequest, SharedMemoryReply>* SharedMemoryService::Attach(
    grpc::CallbackServerContext* context) {
  return new Stream(this, CallerOf(*context->auth_context()));
}

}  // namespace downpour
