// Where on the data's way: from a shard's primary to its standby; a snapshot in pieces, then each change.
#ifndef DOWNPOUR_SERVER_SHARD_SHARD_FEED_H_
#define DOWNPOUR_SERVER_SHARD_SHARD_FEED_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "proto/replication.pb.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// What one follower of a shard is sent. For one thread.
class ShardFeed {
 public:
  struct Message {
    FollowReply fields;
    // Lives as long as `owner`, or if that is null until the next call of Next().
    absl::string_view payload;
    std::shared_ptr<const void> owner;
  };

  // Begins with a snapshot of `shard` for this follower. Statuses as ParameterShard::SnapshotFor().
  static absl::StatusOr<std::unique_ptr<ShardFeed>> Create(std::shared_ptr<ParameterShard> shard,
                                                           uint64_t follower);
  // Ends what the follower was promised.
  ~ShardFeed() { shard_->log().Detach(follower_); }
  ShardFeed(const ShardFeed&) = delete;
  ShardFeed& operator=(const ShardFeed&) = delete;

  // The next message; null: there is none yet, which is not said with `wait`. UNAVAILABLE: the shard does not
  // keep changes for the follower any more.
  absl::StatusOr<std::unique_ptr<Message>> Next(bool wait);
  // Ends a Next() that waits. Thread-safe.
  void End() { shard_->log().Detach(follower_); }
  void Applied(uint64_t number) { shard_->log().Applied(follower_, number); }

 private:
  ShardFeed(std::shared_ptr<ParameterShard> shard, uint64_t follower)
      : shard_(std::move(shard)), follower_(follower) {}
  // Null: all of it has been sent.
  std::unique_ptr<Message> NextOfSnapshot();

  const std::shared_ptr<ParameterShard> shard_;
  const uint64_t follower_;
  std::optional<ShardSnapshot> snapshot_;
  std::string header_;  // of the snapshot, serialised
  size_t section_ = 0;  // of the snapshot, that is being sent (proto/replication.proto)
  size_t sent_ = 0;     // bytes of it
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_SHARD_FEED_H_
