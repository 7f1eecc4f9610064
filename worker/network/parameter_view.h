// Where on the data's way: into the network; parameters as a replica has fetched them.
#ifndef DOWNPOUR_WORKER_NETWORK_PARAMETER_VIEW_H_
#define DOWNPOUR_WORKER_NETWORK_PARAMETER_VIEW_H_

#include <cstdint>
#include <type_traits>

#include "absl/types/span.h"
#include "common/key_range.h"

namespace downpour {

// The caller's memory: float32, or bfloat16 as it came over the wire, which products in bfloat16 read as it is.
class ParameterView {
 public:
  template <typename Floats,
            typename = std::enable_if_t<std::is_convertible_v<const Floats&, absl::Span<const float>>>>
  ParameterView(const Floats& floats) : floats_(floats) {}  // NOLINT(google-explicit-constructor)
  explicit ParameterView(absl::Span<const uint16_t> bfloats) : bfloats_(bfloats) {}

  size_t size() const { return floats_.size() + bfloats_.size(); }
  // One of the two is empty.
  absl::Span<const float> floats() const { return floats_; }
  absl::Span<const uint16_t> bfloats() const { return bfloats_; }

  ParameterView operator[](KeyRange keys) const {
    return bfloats_.empty() ? ParameterView(floats_.subspan(keys.begin, keys.size()))
                            : ParameterView(bfloats_.subspan(keys.begin, keys.size()));
  }

 private:
  absl::Span<const float> floats_;
  absl::Span<const uint16_t> bfloats_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_PARAMETER_VIEW_H_
