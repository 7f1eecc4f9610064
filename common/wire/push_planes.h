// Where on the data's way: from replica to shard; what one push brings for each of its keys.
#ifndef DOWNPOUR_COMMON_WIRE_PUSH_PLANES_H_
#define DOWNPOUR_COMMON_WIRE_PUSH_PLANES_H_

#include <array>
#include <concepts>
#include <cstddef>

#include "common/check.h"
#include "common/layout/key_range.h"
#include "common/tensor/tensor_view.h"

namespace downpour {

// A push has a number for each key in every one of its planes:
//   0  the gradient; most rules want no other
//   1  the curvature: the diagonal of the loss's Hessian
//   2  the squares: the mean over the minibatch's frames of the squared gradient of each
// A rule says how many it takes (Optimizer::TakesPlanes() of server/optimizer/optimizer.h).
inline constexpr size_t kMostPlanes = 3;

// The planes of one push, or of some keys of it, with as many elements in each. The memory is the caller's.
// A value; as thread-safe as that memory.
class PushPlanes {
 public:
  // What converts to a TensorView is a push of its gradient alone.
  template <std::convertible_to<TensorView> Gradient>
  PushPlanes(const Gradient& gradient)  // NOLINT(google-explicit-constructor)
      : planes_{TensorView(gradient)} {}

  void Add(TensorView plane) {
    DOWNPOUR_CHECK(size_ < kMostPlanes);
    planes_[size_++] = plane;
  }

  size_t size() const { return size_; }
  TensorView operator[](size_t plane) const { return planes_[plane]; }
  TensorView gradient() const { return planes_[0]; }

  // `keys` of every plane, counted from its first element.
  PushPlanes Part(KeyRange keys) const {
    PushPlanes part(planes_[0][keys]);
    for (size_t plane = 1; plane < size_; ++plane) part.Add(planes_[plane][keys]);
    return part;
  }

 private:
  std::array<TensorView, kMostPlanes> planes_;
  size_t size_ = 1;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_PUSH_PLANES_H_
