// Where on the data's way: in every push and fetch; which piece of the flat vector it is about.
#ifndef DOWNPOUR_COMMON_LAYOUT_KEY_RANGE_H_
#define DOWNPOUR_COMMON_LAYOUT_KEY_RANGE_H_

#include <cstdint>

namespace downpour {

// Half-open range [begin, end) of keys; a key is an element's index in the flat parameter vector.
struct KeyRange {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
  bool Contains(const KeyRange& other) const { return begin <= other.begin && other.end <= end; }
  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_LAYOUT_KEY_RANGE_H_
