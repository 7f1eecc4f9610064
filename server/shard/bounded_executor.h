// Where on the data's way: inside a shard process, between the wire and the shard; the few threads that do
// the work.
#ifndef DOWNPOUR_SERVER_SHARD_BOUNDED_EXECUTOR_H_
#define DOWNPOUR_SERVER_SHARD_BOUNDED_EXECUTOR_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace downpour {

// Runs tasks in the order they came on a fixed number of threads. Thread-safe.
class BoundedExecutor {
 public:
  BoundedExecutor(int threads, size_t queue_capacity);
  // Finishes what was taken.
  ~BoundedExecutor();

  // Never blocks. False: the queue is full, and the task is not taken.
  [[nodiscard]] bool TryRun(std::function<void()> task);

 private:
  void Work();

  const size_t capacity_;
  absl::Mutex mutex_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_BOUNDED_EXECUTOR_H_
