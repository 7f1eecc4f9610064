// Where on the data's way: inside a shard's process; the threads that apply and read chunks.
#ifndef DOWNPOUR_SERVER_SHARD_BOUNDED_EXECUTOR_H_
#define DOWNPOUR_SERVER_SHARD_BOUNDED_EXECUTOR_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"

namespace downpour {

// Runs tasks on a fixed number of threads, in the order in which they came. Thread-safe.
class BoundedExecutor {
 public:
  BoundedExecutor(int threads, size_t queue_capacity);
  // Waits until all tasks that were taken have run.
  ~BoundedExecutor();

  // Puts the task into the queue; never blocks. False: the queue is full, and the task was not taken.
  [[nodiscard]] bool TryRun(std::function<void()> task);
  // Tasks that no thread has begun.
  size_t waiting() const {
    absl::MutexLock lock(&mutex_);
    return queue_.size();
  }

 private:
  void Work();

  const size_t capacity_;
  mutable absl::Mutex mutex_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_BOUNDED_EXECUTOR_H_
