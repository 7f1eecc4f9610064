// Where on the data's way: at a standby's end of the wire; a call that lasts as long as the primary does.
#include "server/service/grpc_shard_follower.h"

#include <vector>

#include "common/program/logging.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_chunk.h"
#include "common/status_macros.h"
#include "common/wire/chunk_codec.h"
#include "server/shard/shard_start.h"

namespace downpour {

bool GrpcShardFollower::follows() const {
  absl::MutexLock lock(&mutex_);
  return follows_;
}

bool GrpcShardFollower::has_shard() const {
  absl::MutexLock lock(&mutex_);
  return shard_ != nullptr;
}

void GrpcShardFollower::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (call_ != nullptr) call_->Cancel();
  }
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<ParameterShard> GrpcShardFollower::TakeShard() {
  Stop();
  absl::MutexLock lock(&mutex_);
  return std::move(shard_);
}

void GrpcShardFollower::Follow(const RegisterShardReply& registered, uint64_t server) {
  TakeShard();
  keep_(nullptr, registered);
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = false;
    follows_ = true;
  }
  thread_ = std::thread([this, registered, server] { Work(registered, server); });
}

void GrpcShardFollower::Work(const RegisterShardReply& registered, uint64_t server) {
  const absl::Status status = FollowFrom(registered, server);
  absl::MutexLock lock(&mutex_);
  if (!stopping_) {
    LogWarning("shard ", registered.shard(), ": the primary at '", registered.primary(),
               "' is not followed any more: ", status.message());
  }
  follows_ = false;
}

absl::Status GrpcShardFollower::FollowFrom(const RegisterShardReply& registered, uint64_t server) {
  ASSIGN_OR_RETURN(const std::vector<ParameterShard::Options> options,
                   ShardOptions(registered.description(), registered.run().run_id(), registered.data()));
  if (registered.shard() >= options.size())
    return absl::FailedPreconditionError(absl::StrCat("the run has no shard ", registered.shard()));
  const std::shared_ptr<grpc::Channel> channel =
      ConnectTo(registered.primary(), {ShardRole(registered.shard()), credentials_});
  RETURN_IF_ERROR(AwaitConnection(*channel, registered.primary()));
  RawCall call(channel, "/downpour.ShardReplication/Follow", absl::InfiniteDuration());
  {
    absl::MutexLock lock(&mutex_);
    call_ = &call;
    if (stopping_) call.Cancel();
  }
  FollowRequest request;
  *request.mutable_run() = registered.run();
  request.mutable_run()->set_view(registered.view());
  request.set_server(server);
  call.StartWrite(SerializeMessage(request), /*last=*/false);
  call.Await();
  FollowedShard followed(options[registered.shard()]);
  absl::Status status = TakeAll(registered, &call, &followed);
  {
    absl::MutexLock lock(&mutex_);
    call_ = nullptr;
  }
  if (status.ok()) status = call.Finish();
  return status.ok() ? absl::UnavailableError("it has ended the stream") : status;
}

absl::Status GrpcShardFollower::TakeAll(const RegisterShardReply& registered, RawCall* call,
                                        FollowedShard* followed) {
  std::vector<float> buffer(kMostPlanes * kChunkElements);
  grpc::ByteBuffer bytes;
  FollowRequest applied;
  for (;;) {
    call->StartRead(&bytes);
    if (!call->Await()) return absl::OkStatus();
    FollowReply message;
    ASSIGN_OR_RETURN(const absl::string_view payload,
                     DecodeChunk(&bytes, MutableTensorView(absl::MakeSpan(buffer)).bytes(), &message));
    RETURN_IF_ERROR(followed->Take(message, payload));
    if (followed->shard() == nullptr) continue;
    bool first;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return absl::CancelledError("stopped");
      first = shard_ == nullptr;
      shard_ = followed->shard();
    }
    if (first) keep_(followed->shard(), registered);
    applied.set_applied(followed->applied());
    call->StartWrite(SerializeMessage(applied), /*last=*/false);
    if (!call->Await()) return absl::OkStatus();
  }
}

}  // namespace downpour
