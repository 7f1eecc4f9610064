// Where on the data's way: at a standby's end of the wire; fetches the shard from its primary and follows it.
#ifndef DOWNPOUR_SERVER_SERVICE_GRPC_SHARD_FOLLOWER_H_
#define DOWNPOUR_SERVER_SERVICE_GRPC_SHARD_FOLLOWER_H_

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/credentials.h"
#include "common/rpc/raw_call.h"
#include "server/shard/followed_shard.h"
#include "server/shard/shard_follower.h"

namespace downpour {

// ShardFollower over gRPC. A thread reads, applies and tells the primary so, one message after the other.
class GrpcShardFollower final : public ShardFollower {
 public:
  // `credentials` may be null: without TLS. `keep` is called with the shard by the thread, when it has all of it
  // and before the primary is told so; and with null by Follow(), which gives it up.
  using Keep = std::function<void(std::shared_ptr<ParameterShard>, const RegisterShardReply&)>;
  GrpcShardFollower(std::shared_ptr<Credentials> credentials, Keep keep)
      : credentials_(std::move(credentials)), keep_(std::move(keep)) {}
  ~GrpcShardFollower() override { Stop(); }
  void Follow(const RegisterShardReply& registered, uint64_t server) override;
  bool follows() const override ABSL_LOCKS_EXCLUDED(mutex_);
  bool has_shard() const override ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<ParameterShard> TakeShard() override;

 private:
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  void Work(const RegisterShardReply& registered, uint64_t server) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FollowFrom(const RegisterShardReply& registered, uint64_t server) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TakeAll(const RegisterShardReply& registered, RawCall* call, FollowedShard* followed)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<Credentials> credentials_;
  const Keep keep_;
  std::thread thread_;
  mutable absl::Mutex mutex_;
  RawCall* call_ ABSL_GUARDED_BY(mutex_) = nullptr;  // that is under way
  bool follows_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ParameterShard> shard_ ABSL_GUARDED_BY(mutex_);  // null: its snapshot is not complete
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_GRPC_SHARD_FOLLOWER_H_
