// Where on the data's way: between network and push; the memory of gradients, which is used again and again.
#ifndef DOWNPOUR_WORKER_REPLICA_GRADIENT_POOL_H_
#define DOWNPOUR_WORKER_REPLICA_GRADIENT_POOL_H_

#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace downpour {

// Lends buffers of `elements` elements with unspecified contents, from `memory`. Many replicas share one
// pool, so that memory is held only for the gradients that exist at one time. Thread-safe if `memory` is.
template <typename Element>
class BufferPool {
 public:
  explicit BufferPool(int64_t elements, std::pmr::memory_resource* memory = std::pmr::new_delete_resource())
      : elements_(elements), memory_(memory) {}

  std::pmr::memory_resource* memory() const { return memory_; }

  std::pmr::vector<Element> Take() {
    {
      absl::MutexLock lock(&mutex_);
      if (!free_.empty()) {
        std::pmr::vector<Element> buffer = std::move(free_.back());
        free_.pop_back();
        return buffer;
      }
    }
    return std::pmr::vector<Element>(elements_, memory_);
  }

  // Takes back a buffer that came from Take(), and leaves `buffer` empty. Does nothing if it is empty.
  void Give(std::pmr::vector<Element>* buffer) {
    if (buffer->empty()) return;
    absl::MutexLock lock(&mutex_);
    free_.push_back(std::move(*buffer));
    buffer->clear();
  }

 private:
  const int64_t elements_;
  std::pmr::memory_resource* const memory_;
  absl::Mutex mutex_;
  std::vector<std::pmr::vector<Element>> free_ ABSL_GUARDED_BY(mutex_);
};

using GradientPool = BufferPool<float>;
using RoundedGradientPool = BufferPool<uint16_t>;

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_GRADIENT_POOL_H_
