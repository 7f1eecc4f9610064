// Where on the data's way: at a primary's end of the wire; one thread sends what the follower is to have.
#include "server/service/replication_service.h"

#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/program/logging.h"
#include "common/rpc/credentials.h"
#include "common/rpc/grpc_chunk.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "common/wire/run_identity.h"
#include "server/shard/shard_feed.h"

namespace downpour {
namespace {

grpc::Slice SliceOf(const ShardFeed::Message& message) {
  // A piece of the snapshot is copied, as the snapshot may be gone before gRPC has sent it.
  if (message.owner == nullptr) return {message.payload.data(), message.payload.size()};
  using Owner = std::shared_ptr<const void>;
  return {const_cast<char*>(message.payload.data()), message.payload.size(),
          [](void* sent) { delete static_cast<Owner*>(sent); }, new Owner(message.owner)};
}

}  // namespace

// One follower. OnReadDone reads its first message, and starts the thread that sends; each further message
// says what it has applied. Deletes itself in OnDone().
class ReplicationService::FollowReactor final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  FollowReactor(ReplicationService* service, Caller caller) : service_(service), caller_(std::move(caller)) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    FollowRequest request;
    ok = ok && ParseMessage(&request_, &request).ok();
    if (!thread_.joinable()) {
      if (!ok) return Finish(ToGrpcStatus(absl::InvalidArgumentError("no request to follow")));
      thread_ = std::thread([this, request] { Finish(ToGrpcStatus(Send(request))); });
    } else if (ok) {
      Applied(request.applied());
    }
    if (!ok) return End();
    StartRead(&request_);
  }
  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    ended_ |= !ok;
  }
  void OnCancel() override { End(); }
  void OnDone() override {
    // It may be this thread, which ends after Finish().
    if (thread_.joinable()) thread_.detach();
    delete this;
  }

 private:
  std::shared_ptr<ShardFeed> Feed() {
    absl::MutexLock lock(&mutex_);
    return feed_;
  }
  void End() {
    {
      absl::MutexLock lock(&mutex_);
      ended_ = true;
    }
    if (const auto feed = Feed()) feed->End();
  }
  void Applied(uint64_t number) {
    if (const auto feed = Feed()) feed->Applied(number);
  }

  absl::Status Send(const FollowRequest& request) {
    ASSIGN_OR_RETURN(const std::shared_ptr<ParameterShard> shard, service_->shard_.Get());
    RETURN_IF_ERROR(caller_.CheckIsShard(shard->Status().shard(), "to follow this shard"));
    RETURN_IF_ERROR(shard->CheckRun(ToRunKey(request.run())));
    ASSIGN_OR_RETURN(const std::shared_ptr<ShardFeed> feed, ShardFeed::Create(shard, request.server()));
    {
      absl::MutexLock lock(&mutex_);
      feed_ = feed;
    }
    absl::Status status = SendFrom(feed.get());
    feed->End();
    LogWarning("the stream to the shard's standby has ended: ", status.message());
    return status;
  }

  absl::Status SendFrom(ShardFeed* feed) {
    for (;;) {
      ASSIGN_OR_RETURN(const std::unique_ptr<ShardFeed::Message> message, feed->Next(/*wait=*/true));
      reply_ = EncodeChunk(message->fields, {SliceOf(*message)});
      {
        absl::MutexLock lock(&mutex_);
        if (ended_) return absl::CancelledError("the standby is gone");
        writing_ = true;
      }
      StartWrite(&reply_);
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(
          +[](FollowReactor* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) { return !self->writing_; },
          this));
    }
  }

  ReplicationService* const service_;
  const Caller caller_;
  std::thread thread_;  // used by reads, of which one is under way at a time, and at the end
  grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
  absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ShardFeed> feed_ ABSL_GUARDED_BY(mutex_);  // its Next() is called by the thread alone
};

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ReplicationService::Follow(
    grpc::CallbackServerContext* context) {
  return new FollowReactor(this, CallerOf(*context->auth_context()));
}

}  // namespace downpour
