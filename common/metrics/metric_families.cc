// Where on the data's way: beside it; finds a sample's family, or makes it.
#include "common/metrics/metric_families.h"

#include <limits>

#include "absl/algorithm/container.h"

namespace downpour {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric& MetricFamilies::Add(absl::string_view name, absl::string_view help, MetricType type,
                                  const Labels& labels) {
  auto family = absl::c_find_if(families_, [&](const MetricFamily& known) { return known.name == name; });
  if (family == families_.end()) {
    families_.push_back({std::string(name), std::string(help), type, {}});
    family = families_.end() - 1;
  }
  ClientMetric& metric = family->metric.emplace_back();
  for (const auto& [label, value] : labels) metric.label.push_back({label, value});
  return metric;
}

void MetricFamilies::AddCounter(absl::string_view name, absl::string_view help, double value,
                                const Labels& labels) {
  Add(name, help, MetricType::Counter, labels).counter.value = value;
}

void MetricFamilies::AddGauge(absl::string_view name, absl::string_view help, double value,
                              const Labels& labels) {
  Add(name, help, MetricType::Gauge, labels).gauge.value = value;
}

void MetricFamilies::AddDurations(absl::string_view name, absl::string_view help, int64_t count,
                                  absl::Duration sum, const Labels& labels) {
  ClientMetric::Summary& summary = Add(name, help, MetricType::Summary, labels).summary;
  summary.sample_count = count;
  summary.sample_sum = absl::ToDoubleSeconds(sum);
}

void MetricFamilies::AddHistogram(absl::string_view name, absl::string_view help,
                                  const std::vector<std::pair<double, uint64_t>>& buckets, uint64_t count,
                                  double sum) {
  ClientMetric::Histogram& histogram = Add(name, help, MetricType::Histogram, {}).histogram;
  histogram.sample_count = count;
  histogram.sample_sum = sum;
  for (const auto& [bound, at_most] : buckets) histogram.bucket.push_back({at_most, bound});
  histogram.bucket.push_back({count, std::numeric_limits<double>::infinity()});
}

}  // namespace downpour
