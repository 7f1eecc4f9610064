// Where on the data's way: beside it; numbers of a running program, as Prometheus wants them.
#ifndef DOWNPOUR_COMMON_METRICS_METRIC_FAMILIES_H_
#define DOWNPOUR_COMMON_METRICS_METRIC_FAMILIES_H_

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace downpour {

// Samples of one scrape, by family. Each call adds one sample to the family `name`, which the first call
// makes. Names follow Prometheus' conventions: a prefix, base units, _total at the end of a counter, ratios
// from 0 to 1. A label has a few fixed values, or the index of a shard; never a replica, of which there may
// be any number. Not thread-safe.
class MetricFamilies {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  void AddCounter(absl::string_view name, absl::string_view help, double value, const Labels& labels = {});
  void AddGauge(absl::string_view name, absl::string_view help, double value, const Labels& labels = {});
  // How often something happened and how long all of it took: <name>_count and <name>_sum, in seconds.
  void AddDurations(absl::string_view name, absl::string_view help, int64_t count, absl::Duration sum,
                    const Labels& labels = {});
  // `buckets`: (upper bound, how many values are not above it), ascending; the bucket of all is added.
  void AddHistogram(absl::string_view name, absl::string_view help,
                    const std::vector<std::pair<double, uint64_t>>& buckets, uint64_t count, double sum);

  const std::vector<prometheus::MetricFamily>& families() const { return families_; }

 private:
  prometheus::ClientMetric& Add(absl::string_view name, absl::string_view help, prometheus::MetricType type,
                                const Labels& labels);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_METRICS_METRIC_FAMILIES_H_
