// Where on the data's way: between a shard and its standby; numbers changes, and holds replies back.
#include "server/shard/replication_log.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/program/logging.h"

namespace downpour {

TensorView ReplicationLog::Change::elements() const {
  if (change.bfloat16()) {
    return TensorView(
        absl::MakeConstSpan(reinterpret_cast<const uint16_t*>(gradient.data()), gradient.size() / 2));
  }
  return absl::MakeConstSpan(reinterpret_cast<const float*>(gradient.data()), gradient.size() / 4);
}

void ReplicationLog::Append(ShardChange change, TensorView gradient) {
  if (!kept_) return;
  auto kept = std::make_shared<Change>();
  kept->change = std::move(change);
  kept->change.set_bfloat16(gradient.is_bfloat16());
  kept->gradient = std::string(gradient.bytes());
  absl::MutexLock lock(&mutex_);
  if (!attached_) return;
  // A follower that has nothing to do is not silent.
  if (applied_ == last_) last_word_ = options_.clock->Now();
  kept->change.set_number(++last_);
  bytes_ += kept->gradient.size();
  changes_.push_back(std::move(kept));
}

bool ReplicationLog::HasRoom() const { return bytes_ <= options_.window_bytes; }

void ReplicationLog::AwaitRoom() {
  if (!kept_) return;
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &ReplicationLog::HasRoom));
}

ReplicationLog::Need ReplicationLog::NeedOf() const {
  if (closed_) return Need::kRefused;
  if (!needed_) return Need::kNone;
  return attached_ ? Need::kWaits : Need::kRefused;
}

void ReplicationLog::WhenSafe(std::function<void(const absl::Status&)> reply) {
  {
    absl::MutexLock lock(&mutex_);
    replies_.emplace(last_, std::move(reply));
  }
  Settle();
}

absl::Status ReplicationLog::AwaitSafe() {
  absl::Status answer;
  absl::Notification answered;
  WhenSafe([&](const absl::Status& status) {
    answer = status;
    answered.Notify();
  });
  answered.WaitForNotification();
  return answer;
}

void ReplicationLog::Settle() {
  std::vector<std::function<void(const absl::Status&)>> settled;
  absl::Status answer;
  {
    absl::MutexLock lock(&mutex_);
    const Need need = NeedOf();
    if (need == Need::kRefused) {
      answer = absl::UnavailableError(
          "the push is applied here, but not by the shard's standby, which is gone; ask the coordinator");
    }
    while (!replies_.empty() && (need != Need::kWaits || replies_.begin()->first <= applied_)) {
      settled.push_back(std::move(replies_.begin()->second));
      replies_.erase(replies_.begin());
    }
  }
  for (const auto& reply : settled) reply(answer);
}

void ReplicationLog::Expect(uint64_t follower) {
  absl::MutexLock lock(&mutex_);
  expected_ = follower;
}

absl::Status ReplicationLog::Attach(uint64_t follower) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || follower == 0 || follower != expected_) {
    return absl::UnavailableError("this shard does not expect that server as its standby");
  }
  if (follower_ != 0) return absl::UnavailableError("another server has followed this shard until now");
  follower_ = follower;
  kept_ = attached_ = true;
  last_ = applied_ = alone_until_ = 0;
  last_word_ = options_.clock->Now();
  return absl::OkStatus();
}

std::shared_ptr<const ReplicationLog::Change> ReplicationLog::Next(uint64_t follower, bool wait) {
  const auto has_work = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return follower_ != follower || !attached_ || !changes_.empty();
  };
  absl::MutexLock lock(&mutex_);
  if (wait) mutex_.Await(absl::Condition(&has_work));
  if (follower_ != follower || changes_.empty()) return nullptr;
  std::shared_ptr<const Change> next = std::move(changes_.front());
  changes_.pop_front();
  bytes_ -= next->gradient.size();
  return next;
}

bool ReplicationLog::IsAttached(uint64_t follower) const {
  absl::MutexLock lock(&mutex_);
  return attached_ && follower_ == follower;
}

void ReplicationLog::TookPiece(uint64_t follower) {
  absl::MutexLock lock(&mutex_);
  if (follower_ == follower) last_word_ = options_.clock->Now();
}

void ReplicationLog::Applied(uint64_t follower, uint64_t number) {
  {
    absl::MutexLock lock(&mutex_);
    if (!attached_ || follower_ != follower || number > last_ || number < applied_) return;
    applied_ = number;
    last_word_ = options_.clock->Now();
    if (!needed_) {
      needed_ = true;
      alone_until_ = last_;
    }
  }
  Settle();
}

void ReplicationLog::DetachLocked() {
  kept_ = attached_ = false;
  changes_.clear();
  bytes_ = 0;
  if (told_) return;
  // The coordinator cannot have made it the standby, so this server is alone.
  follower_ = 0;
  needed_ = false;
}

void ReplicationLog::Detach(uint64_t follower) {
  {
    absl::MutexLock lock(&mutex_);
    if (!attached_ || follower_ != follower) return;
    DetachLocked();
  }
  Settle();
}

void ReplicationLog::DetachIfSilent() {
  {
    absl::MutexLock lock(&mutex_);
    const bool silent =
        attached_ && applied_ < last_ && options_.clock->Now() - last_word_ > options_.longest_silence;
    if (!silent) return;
    LogWarning("the shard's standby has applied nothing for ", absl::FormatDuration(options_.longest_silence),
               ", and is taken for gone");
    DetachLocked();
  }
  Settle();
}

ReplicationLog::Following ReplicationLog::TakeFollowing() {
  absl::MutexLock lock(&mutex_);
  Following following;
  if (attached_ && needed_ && applied_ >= alone_until_) {
    following.ready = follower_;
    told_ = true;
  } else if (told_ && !attached_) {
    following.lost = follower_;
  }
  return following;
}

void ReplicationLog::GoAlone() {
  {
    absl::MutexLock lock(&mutex_);
    told_ = false;
    if (follower_ != 0) DetachLocked();
  }
  Settle();
}

void ReplicationLog::Close() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    kept_ = attached_ = false;
    changes_.clear();
    bytes_ = 0;
  }
  Settle();
}

}  // namespace downpour
