// Where on the data's way: inside the shard; parameters that gRPC sends while the next push changes them.
#ifndef DOWNPOUR_SERVER_SHARD_LENDABLE_ELEMENTS_H_
#define DOWNPOUR_SERVER_SHARD_LENDABLE_ELEMENTS_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"

namespace downpour {

// Keeps vectors that nobody uses now for the next who needs one. If they were freed, malloc would give parts
// of their memory to smaller allocations and then have to ask the system for more. Thread-safe.
template <typename Element>
class SpareVectors {
 public:
  // A vector of `size` elements with unspecified values.
  std::vector<Element> Take(size_t size) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<Element> taken;
    {
      absl::MutexLock lock(&mutex_);
      if (!spare_.empty()) {
        taken = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    taken.resize(size);
    return taken;
  }
  void GiveBack(std::vector<Element> vector) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    spare_.push_back(std::move(vector));
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::vector<Element>> spare_ ABSL_GUARDED_BY(mutex_);
};

// A vector that readers may borrow without copying it. If it is to be written while lent, the owner goes on
// with a copy and the readers keep the old elements. Not thread-safe, but a loan may end on any thread.
template <typename Element>
class LendableElements {
 public:
  using Spare = std::shared_ptr<SpareVectors<Element>>;

  // `size` elements with unspecified values. Their memory comes from `spare` and goes back there.
  LendableElements(size_t size, Spare spare) : memory_(std::make_shared<Memory>(size, std::move(spare))) {}

  absl::Span<const Element> Get() const { return memory_->elements; }

  // The elements, which may be written until the next Lend().
  absl::Span<Element> Writable() {
    if (memory_->loans.load(std::memory_order_acquire) > 0) {
      auto copy = std::make_shared<Memory>(Get().size(), memory_->spare);
      std::copy(Get().begin(), Get().end(), copy->elements.begin());
      memory_ = std::move(copy);
    }
    return absl::MakeSpan(memory_->elements);
  }

  // The elements as they are now; they do not change while the result or a copy of it lives.
  std::shared_ptr<const Element> Lend() const {
    memory_->loans.fetch_add(1, std::memory_order_relaxed);
    const auto give_back = [memory = memory_](const Element*) {
      memory->loans.fetch_sub(1, std::memory_order_release);
    };
    return {memory_->elements.data(), give_back};
  }

 private:
  struct Memory {
    Memory(size_t size, Spare from) : spare(std::move(from)), elements(spare->Take(size)) {}
    ~Memory() { spare->GiveBack(std::move(elements)); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    const Spare spare;
    std::vector<Element> elements;
    std::atomic<int> loans = 0;
  };

  std::shared_ptr<Memory> memory_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_LENDABLE_ELEMENTS_H_
