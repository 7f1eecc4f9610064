// Where on the data's way: parameters on their way into the network, gradients on theirs out of it.
#ifndef DOWNPOUR_COMMON_TENSOR_VIEW_H_
#define DOWNPOUR_COMMON_TENSOR_VIEW_H_

#include <cstdint>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/key_range.h"

namespace downpour {

// Elements in somebody else's memory: float32, or bfloat16 as a wire has them.
class TensorView {
 public:
  template <typename Floats,
            typename = std::enable_if_t<std::is_convertible_v<const Floats&, absl::Span<const float>>>>
  TensorView(const Floats& floats) : floats_(floats) {}  // NOLINT(google-explicit-constructor)
  explicit TensorView(absl::Span<const uint16_t> bfloats) : bfloats_(bfloats) {}

  size_t size() const { return floats_.size() + bfloats_.size(); }
  bool empty() const { return size() == 0; }
  // One of the two is empty.
  absl::Span<const float> floats() const { return floats_; }
  absl::Span<const uint16_t> bfloats() const { return bfloats_; }

  // The memory itself.
  absl::string_view bytes() const {
    return bfloats_.empty() ? absl::string_view(reinterpret_cast<const char*>(floats_.data()),
                                                floats_.size() * sizeof(float))
                            : absl::string_view(reinterpret_cast<const char*>(bfloats_.data()),
                                                bfloats_.size() * sizeof(uint16_t));
  }

  TensorView operator[](KeyRange keys) const {
    return bfloats_.empty() ? TensorView(floats_.subspan(keys.begin, keys.size()))
                            : TensorView(bfloats_.subspan(keys.begin, keys.size()));
  }

 private:
  absl::Span<const float> floats_;
  absl::Span<const uint16_t> bfloats_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TENSOR_VIEW_H_
