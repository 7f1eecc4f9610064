// Where on the data's way: at both ends of the wire; how many tensors went over it and how long they took, and
// how many wait.
#ifndef DOWNPOUR_COMMON_METRICS_TRANSFER_COUNTERS_H_
#define DOWNPOUR_COMMON_METRICS_TRANSFER_COUNTERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/metrics/duration_counter.h"
#include "common/metrics/metric_families.h"

namespace downpour {

// Pushes or fetches that have ended well. Thread-safe.
class TransferCounters {
 public:
  void Count(int64_t bytes, absl::Duration duration) {
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    durations_.Count(duration);
  }
  int64_t bytes() const { return bytes_; }

  // `kind`: "push" or "fetch"; `way`: "grpc", "shared_memory" or "any".
  void AddTo(const char* kind, const char* way, MetricFamilies* families) const {
    const MetricFamilies::Labels labels = {{"kind", kind}, {"way", way}};
    families->AddCounter("downpour_transfer_bytes_total",
                         "Bytes of gradients (push) and parameters (fetch) that were transferred.",
                         static_cast<double>(bytes()), labels);
    families->AddDurations("downpour_transfer_duration_seconds",
                           "Time from the beginning of a push or fetch to its end.", durations_.count(),
                           durations_.sum(), labels);
  }

 private:
  std::atomic<int64_t> bytes_ = 0;
  DurationCounter durations_;
};

inline void AddQueueDepth(const char* queue, size_t depth, MetricFamilies* families) {
  families->AddGauge("downpour_queue_depth", "How many wait in a queue or are under way.",
                     static_cast<double>(depth), {{"queue", queue}});
}

struct Transfers {
  TransferCounters pushes;
  TransferCounters fetches;

  void AddTo(const char* way, MetricFamilies* families) const {
    pushes.AddTo("push", way, families);
    fetches.AddTo("fetch", way, families);
  }
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_METRICS_TRANSFER_COUNTERS_H_
