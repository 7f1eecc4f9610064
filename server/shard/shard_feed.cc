// Where on the data's way: from a shard's primary to its standby; cuts the snapshot, and takes from the log.
#include "server/shard/shard_feed.h"

#include "common/status_macros.h"
#include "common/wire/serialize.h"

namespace downpour {

absl::StatusOr<std::unique_ptr<ShardFeed>> ShardFeed::Create(std::shared_ptr<ParameterShard> shard,
                                                             uint64_t follower) {
  ASSIGN_OR_RETURN(ShardSnapshot snapshot, shard->SnapshotFor(follower));
  auto feed = absl::WrapUnique(new ShardFeed(std::move(shard), follower));
  feed->header_ = SerializeSmall(snapshot.header);
  feed->snapshot_ = std::move(snapshot);
  return feed;
}

std::unique_ptr<ShardFeed::Message> ShardFeed::NextOfSnapshot() {
  if (section_ > snapshot_->state.size() + 1) return nullptr;
  auto message = std::make_unique<Message>();
  message->fields.set_section(static_cast<uint32_t>(section_));
  absl::string_view bytes = header_;
  size_t unit = 1;
  if (section_ == 0) {
    message->fields.set_header_bytes(header_.size());
  } else {
    bytes = TensorView(section_ == 1 ? snapshot_->parameters : snapshot_->state[section_ - 2]).bytes();
    unit = sizeof(float);
  }
  message->fields.set_begin(sent_ / unit);
  message->payload = bytes.substr(sent_, kChunkBytes);
  sent_ += message->payload.size();
  if (sent_ == bytes.size()) {
    ++section_;
    sent_ = 0;
  }
  return message;
}

absl::StatusOr<std::unique_ptr<ShardFeed::Message>> ShardFeed::Next(bool wait) {
  ReplicationLog& log = shard_->log();
  if (!log.IsAttached(follower_)) return absl::UnavailableError("this shard has let its follower go");
  if (snapshot_.has_value()) {
    log.TookPiece(follower_);
    if (std::unique_ptr<Message> piece = NextOfSnapshot()) return piece;
    snapshot_.reset();
  }
  const std::shared_ptr<const ReplicationLog::Change> change = log.Next(follower_, wait);
  if (change == nullptr && wait) return absl::UnavailableError("this shard has let its follower go");
  if (change == nullptr) return nullptr;
  auto message = std::make_unique<Message>();
  *message->fields.mutable_change() = change->change;
  message->payload = change->gradient;
  message->owner = change;
  return message;
}

}  // namespace downpour
