// Where on the data's way: the shard's end of the wire; what the services of a shard have in common.
#ifndef DOWNPOUR_SERVER_SERVICE_SERVED_SHARD_H_
#define DOWNPOUR_SERVER_SERVICE_SERVED_SHARD_H_

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// The shard that a service serves; none until the coordinator has told the program its range. Thread-safe.
class ServedShard {
 public:
  void Set(std::shared_ptr<ParameterShard> shard) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    shard_ = std::move(shard);
  }
  // UNAVAILABLE: it has not been set yet.
  absl::StatusOr<std::shared_ptr<ParameterShard>> Get() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (shard_ == nullptr) return absl::UnavailableError("this shard has not been told its range yet");
    return shard_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<ParameterShard> shard_ ABSL_GUARDED_BY(mutex_);
};

// RESOURCE_EXHAUSTED: `limit` of `what` (e.g. "pushes") are under way already.
inline absl::Status TooMany(absl::string_view what, int limit) {
  return absl::ResourceExhaustedError(
      absl::StrCat(limit, " ", what, " under way, which is as many as this shard takes"));
}

inline void FillPushReply(const PushOutcome& outcome, PushReply* reply) {
  reply->set_version(outcome.version);
  reply->set_staleness(outcome.staleness);
  reply->set_duplicate(outcome.duplicate);
  reply->set_late(outcome.late);
}

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_SERVED_SHARD_H_
