// Where on the data's way: beside a shard's standby; what its loop asks of the stream from the primary.
#ifndef DOWNPOUR_SERVER_SHARD_SHARD_FOLLOWER_H_
#define DOWNPOUR_SERVER_SHARD_SHARD_FOLLOWER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "proto/coordinator.pb.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// Fetches a shard from its primary and follows it. Used by one thread; does its work in others.
class ShardFollower {
 public:
  virtual ~ShardFollower() = default;
  // Gives up what it has, and begins to follow registered.primary() as the server with that number.
  virtual void Follow(const RegisterShardReply& registered, uint64_t server) = 0;
  // Whether the stream stands, or is being opened.
  virtual bool follows() const = 0;
  // Whether the primary may have been told that this server has the shard.
  virtual bool has_shard() const = 0;
  // Follows no more, and returns the shard with all that was told the primary; null: it does not have it.
  virtual std::shared_ptr<ParameterShard> TakeShard() = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_SHARD_FOLLOWER_H_
