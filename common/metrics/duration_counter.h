// Where on the data's way: beside it; how often something was done, and how long all of it took.
#ifndef DOWNPOUR_COMMON_METRICS_DURATION_COUNTER_H_
#define DOWNPOUR_COMMON_METRICS_DURATION_COUNTER_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace downpour {

// Thread-safe. A count and its duration may be read a moment apart.
class DurationCounter {
 public:
  void Count(absl::Duration duration) {
    count_.fetch_add(1, std::memory_order_relaxed);
    nanoseconds_.fetch_add(absl::ToInt64Nanoseconds(duration), std::memory_order_relaxed);
  }
  int64_t count() const { return count_; }
  absl::Duration sum() const { return absl::Nanoseconds(nanoseconds_.load()); }

 private:
  std::atomic<int64_t> count_ = 0;
  std::atomic<int64_t> nanoseconds_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_METRICS_DURATION_COUNTER_H_
