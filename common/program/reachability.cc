// Where on the data's way: common/program, in a client; keeps the time of the next warning.
#include "common/program/reachability.h"

#include <algorithm>

#include "common/program/logging.h"

namespace downpour {
namespace {

constexpr absl::Duration kFirstPause = absl::Seconds(2);
constexpr absl::Duration kLongestPause = absl::Minutes(1);

}  // namespace

void Reachability::Trying() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_->Now();
  if (why_.ok() || now < next_warning_) return;
  LogWarning(peer_, " cannot be reached, trying on: ", why_.message());
  warned_ = true;
  next_warning_ = now + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
}

void Reachability::Failed(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  if (why_.ok()) {
    next_warning_ = clock_->Now();
    pause_ = kFirstPause;
  }
  why_ = why;
}

void Reachability::Answered() {
  absl::MutexLock lock(&mutex_);
  if (warned_) LogWarning(peer_, " answers");
  warned_ = false;
  why_ = absl::OkStatus();
}

}  // namespace downpour
