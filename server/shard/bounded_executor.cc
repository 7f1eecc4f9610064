// Where on the data's way: inside a shard's process; one queue of tasks, from which all threads take.
#include "server/shard/bounded_executor.h"

namespace downpour {

BoundedExecutor::BoundedExecutor(int threads, size_t queue_capacity) : capacity_(queue_capacity) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

BoundedExecutor::~BoundedExecutor() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

bool BoundedExecutor::TryRun(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  if (queue_.size() >= capacity_) return false;
  queue_.push_back(std::move(task));
  return true;
}

void BoundedExecutor::Work() {
  for (;;) {
    std::function<void()> task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(
          +[](BoundedExecutor* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
            return self->stopping_ || !self->queue_.empty();
          },
          this));
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace downpour
