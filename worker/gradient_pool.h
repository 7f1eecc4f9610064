// Where on the data's way: the memory that gradients stand in between network and shard, used again and
// again.
#ifndef DOWNPOUR_WORKER_GRADIENT_POOL_H_
#define DOWNPOUR_WORKER_GRADIENT_POOL_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace downpour {

// Buffers of `elements` float32 with unspecified contents. Many replicas share one pool, so that memory is
// held only for the gradients that exist at one time. Thread-safe.
class GradientPool {
 public:
  explicit GradientPool(int64_t elements) : elements_(elements) {}

  std::vector<float> Take() {
    {
      absl::MutexLock lock(&mutex_);
      if (!free_.empty()) {
        std::vector<float> buffer = std::move(free_.back());
        free_.pop_back();
        return buffer;
      }
    }
    return std::vector<float>(elements_);
  }

  // `buffer` comes from Take().
  void Give(std::vector<float> buffer) {
    absl::MutexLock lock(&mutex_);
    free_.push_back(std::move(buffer));
  }

 private:
  const int64_t elements_;
  absl::Mutex mutex_;
  std::vector<std::vector<float>> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_GRADIENT_POOL_H_
