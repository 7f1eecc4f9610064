// Where on the data's way: inside the shard; elements that gRPC sends from while the next push changes them.
#ifndef DOWNPOUR_SERVER_LENDABLE_ELEMENTS_H_
#define DOWNPOUR_SERVER_LENDABLE_ELEMENTS_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace downpour {

// A vector that is copied when it is written while it is lent. Its owner serialises all calls; loans end on any thread.
template <typename Element>
class LendableElements {
 public:
  explicit LendableElements(std::vector<Element> elements)
      : memory_(std::make_shared<Memory>(std::move(elements))) {}

  absl::Span<const Element> Get() const { return memory_->elements; }

  // To be written until the next Lend().
  absl::Span<Element> Writable() {
    if (memory_->loans.load(std::memory_order_acquire) > 0)
      memory_ = std::make_shared<Memory>(memory_->elements);
    return absl::MakeSpan(memory_->elements);
  }

  // Get() of now, whose elements stay as they are while the result or a copy of it lives.
  std::shared_ptr<const Element> Lend() const {
    memory_->loans.fetch_add(1, std::memory_order_relaxed);
    const auto give_back = [memory = memory_](const Element*) {
      memory->loans.fetch_sub(1, std::memory_order_release);
    };
    return {memory_->elements.data(), give_back};
  }

 private:
  struct Memory {
    explicit Memory(std::vector<Element> from) : elements(std::move(from)) {}
    std::vector<Element> elements;
    std::atomic<int> loans = 0;
  };

  std::shared_ptr<Memory> memory_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_LENDABLE_ELEMENTS_H_
