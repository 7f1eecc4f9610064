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
                               std::function<bool()> due)
    : interval_(interval), write_(std::move(write)), due_(std::move(due)), thread_([this] { Run(); }) {}

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
  return write_();
}

void PeriodicWriter::Run() {
  const auto stopped = [this] {
    std::unique_lock lock(mutex_);
    return stopping_.wait_for(lock, absl::ToChronoNanoseconds(std::min(interval_, kLongestInterval)),
                              [this] { return stop_; });
  };
  while (!stopped()) {
    absl::MutexLock lock(&write_mutex_);
    if (!due_()) continue;
    if (const absl::Status status = write_(); !status.ok())
      LogWarning("no checkpoint this time, the last good one stays: ", status.ToString());
  }
}

}  // namespace downpour
