// Where on the data's way: inside a shard's process; each thread takes the next index until none is left.
#include "server/shard/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <memory>

namespace downpour {
namespace {

class Loop {
 public:
  Loop(int64_t n, const std::function<void(int64_t)>& f) : n_(n), f_(f) {}

  // A thread that comes when all indices are taken does not touch f_, which may be gone after Await().
  void Work() {
    for (int64_t index; (index = next_++) < n_;) {
      f_(index);
      absl::MutexLock lock(&mutex_);
      ++done_;
    }
  }
  void Await() {
    const auto all_done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return done_ == n_; };
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&all_done));
  }

 private:
  const int64_t n_;
  const std::function<void(int64_t)>& f_;
  std::atomic<int64_t> next_ = 0;
  absl::Mutex mutex_;
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

ParallelFor ParallelForOn(BoundedExecutor* executor, int helpers) {
  return [executor, helpers](int64_t n, const std::function<void(int64_t)>& f) {
    const auto loop = std::make_shared<Loop>(n, f);
    for (int64_t i = 0; i < std::min<int64_t>(helpers, n - 1); ++i) {
      if (!executor->TryRun([loop] { loop->Work(); })) break;
    }
    loop->Work();
    loop->Await();
  };
}

}  // namespace downpour
