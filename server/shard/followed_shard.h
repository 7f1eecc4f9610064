// Where on the data's way: at a shard's standby; makes the primary's shard from what the primary sends.
#ifndef DOWNPOUR_SERVER_SHARD_FOLLOWED_SHARD_H_
#define DOWNPOUR_SERVER_SHARD_FOLLOWED_SHARD_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/replication.pb.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// For one thread, but for the shard itself.
class FollowedShard {
 public:
  // `options` are those of the primary's shard.
  explicit FollowedShard(ParameterShard::Options options) : options_(std::move(options)) {}

  // The next message of the primary, in order. `payload` is aligned as its elements, and may be written over
  // when this returns. DATA_LOSS: it does not follow from those before. FAILED_PRECONDITION: the snapshot is
  // of another run, layout, range or optimizer, or this process cannot have as much memory as it needs.
  absl::Status Take(const FollowReply& message, absl::string_view payload);

  // Null until the snapshot is complete.
  const std::shared_ptr<ParameterShard>& shard() const { return shard_; }
  // The number of the last change; 0: none.
  uint64_t applied() const { return applied_; }

 private:
  absl::Status TakeHeader(const FollowReply& message, absl::string_view payload);
  absl::Status TakeElements(absl::string_view payload);
  absl::Status TakeChange(const ShardChange& change, absl::string_view payload);

  const ParameterShard::Options options_;
  ShardSnapshot snapshot_;  // until it is complete
  std::string header_;      // of it, serialised, likewise
  size_t section_ = 0;      // of the snapshot, that is being filled (proto/replication.proto)
  size_t filled_ = 0;       // bytes of the header, or elements of another section
  std::shared_ptr<ParameterShard> shard_;
  uint64_t applied_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_FOLLOWED_SHARD_H_
