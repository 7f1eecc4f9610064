// Where on the data's way: parameters at rest; waits, asks whether a checkpoint is due and has it written.
#include "server/storage/periodic_writer.h"

#include <algorithm>

#include "common/program/logging.h"

namespace downpour {
namespace {

// A longer wait would not end: added to the time now, it must fit into 64 bits of nanoseconds.
constexpr absl::Duration kLongestInterval = absl::Hours(24 * 365 * 100);

}  // namespace

PeriodicWriter::PeriodicWriter(absl::Duration interval, std::function<absl::Status()> write,
                               std::function<bool()> due, Clock* clock, bool at_once)
    : interval_(interval),
      write_(std::move(write)),
      due_(std::move(due)),
      clock_(clock),
      at_once_(at_once),
      thread_([this] { Run(); }) {}

PeriodicWriter::~PeriodicWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  thread_.join();
}

absl::Status PeriodicWriter::WriteNow() {
  absl::MutexLock lock(&write_mutex_);
  return Write();
}

absl::Status PeriodicWriter::Write() {
  const absl::Time began = clock_->Now();
  absl::Status status = write_();
  absl::MutexLock lock(&written_mutex_);
  if (!status.ok()) {
    ++failed_;
    return status;
  }
  last_written_ = clock_->Now();
  writing_ += last_written_ - began;
  ++written_;
  return status;
}

std::optional<absl::Duration> PeriodicWriter::Age() const {
  absl::MutexLock lock(&written_mutex_);
  return written_ > 0 ? std::optional(clock_->Now() - last_written_) : std::nullopt;
}

void PeriodicWriter::AddTo(MetricFamilies* families) const {
  const std::optional<absl::Duration> age = Age();
  absl::MutexLock lock(&written_mutex_);
  families->AddDurations("downpour_checkpoint_duration_seconds", "Time that it took to write checkpoints.",
                         written_, writing_);
  families->AddCounter("downpour_checkpoints_failed_total", "Checkpoints that could not be written.",
                       static_cast<double>(failed_));
  if (!age.has_value()) return;
  families->AddGauge("downpour_last_checkpoint_timestamp_seconds",
                     "When the last checkpoint was written, in seconds since 1970.",
                     absl::ToDoubleSeconds(clock_->WallNow() - *age - absl::UnixEpoch()));
}

void PeriodicWriter::Run() {
  const auto stopped = [this](absl::Duration wait) {
    std::unique_lock lock(mutex_);
    return stopping_.wait_for(lock, absl::ToChronoNanoseconds(wait), [this] { return stop_; });
  };
  const absl::Duration interval = std::min(interval_, kLongestInterval);
  for (absl::Duration wait = at_once_ ? absl::ZeroDuration() : interval; !stopped(wait); wait = interval) {
    absl::MutexLock lock(&write_mutex_);
    if (!due_()) continue;
    if (const absl::Status status = Write(); !status.ok())
      LogWarning("no checkpoint this time, the last good one stays: ", status.ToString());
  }
}

}  // namespace downpour
