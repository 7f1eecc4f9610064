// Where on the data's way: between replica and network; parameters going in, gradients coming out.
#ifndef DOWNPOUR_COMMON_TENSOR_TENSOR_VIEW_H_
#define DOWNPOUR_COMMON_TENSOR_TENSOR_VIEW_H_

#include <cstdint>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/layout/key_range.h"

namespace downpour {

// Refers to elements in memory that the caller owns: float32, or bfloat16 in uint16_t. A TensorView reads
// them, a MutableTensorView also writes them. Copyable; as thread-safe as that memory.
template <bool kMutable>
class BasicTensorView {
  template <typename T>
  using Pointee = std::conditional_t<kMutable, T, const T>;

 public:
  using Floats = absl::Span<Pointee<float>>;
  using Bfloats = absl::Span<Pointee<uint16_t>>;
  using Bytes = std::conditional_t<kMutable, absl::Span<char>, absl::string_view>;

  BasicTensorView() = default;  // of no elements
  template <typename Memory, typename = std::enable_if_t<std::is_convertible_v<const Memory&, Floats>>>
  BasicTensorView(const Memory& floats) : floats_(floats) {}  // NOLINT(google-explicit-constructor)
  explicit BasicTensorView(Bfloats bfloats) : bfloats_(bfloats) {}

  size_t size() const { return floats_.size() + bfloats_.size(); }
  bool empty() const { return size() == 0; }
  // One of the two spans is empty.
  Floats floats() const { return floats_; }
  Bfloats bfloats() const { return bfloats_; }

  bool is_bfloat16() const { return !bfloats_.empty(); }
  size_t element_bytes() const { return is_bfloat16() ? sizeof(uint16_t) : sizeof(float); }
  Bytes bytes() const { return is_bfloat16() ? BytesOf(bfloats_) : BytesOf(floats_); }

  // The elements `keys`, counted from the view's first element.
  BasicTensorView operator[](KeyRange keys) const {
    return is_bfloat16() ? BasicTensorView(bfloats_.subspan(keys.begin, keys.size()))
                         : BasicTensorView(floats_.subspan(keys.begin, keys.size()));
  }

 private:
  template <typename Elements>
  static Bytes BytesOf(Elements elements) {
    return {reinterpret_cast<Pointee<char>*>(elements.data()), elements.size() * sizeof(elements[0])};
  }

  Floats floats_;
  Bfloats bfloats_;
};

using TensorView = BasicTensorView<false>;
using MutableTensorView = BasicTensorView<true>;

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TENSOR_TENSOR_VIEW_H_
