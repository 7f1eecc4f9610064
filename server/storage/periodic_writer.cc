// Where on the data's way: parameters at rest; waits, asks whether a checkpoint is due and has it written.
#include "server/storage/periodic_writer.h"

#include "common/program/logging.h"

namespace downpour {

PeriodicWriter::PeriodicWriter(absl::Duration interval, std::function<absl::Status()> write,
                               std::function<bool()> due)
    : interval_(interval), write_(std::move(write)), due_(std::move(due)), thread_([this] { Run(); }) {}

PeriodicWriter::~PeriodicWriter() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  thread_.join();
}

absl::Status PeriodicWriter::WriteNow() {
  absl::MutexLock lock(&write_mutex_);
  return write_();
}

void PeriodicWriter::Run() {
  const auto stopped = [this] {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&stop_), interval_);
  };
  while (!stopped()) {
    absl::MutexLock lock(&write_mutex_);
    if (!due_()) continue;
    if (const absl::Status status = write_(); !status.ok())
      LogWarning("no checkpoint this time, the last good one stays: ", status.ToString());
  }
}

}  // namespace downpour
