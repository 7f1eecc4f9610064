// Where on the data's way: beside it; a program's numbers leave it when Prometheus asks.
#ifndef DOWNPOUR_COMMON_METRICS_METRICS_ENDPOINT_H_
#define DOWNPOUR_COMMON_METRICS_METRICS_ENDPOINT_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/http/http_listener.h"
#include "common/metrics/metric_families.h"

namespace downpour {

// Adds all samples of a program as they are now. Called once a scrape, from any thread.
using CollectMetrics = std::function<void(MetricFamilies* families)>;

// Serves GET /metrics at the host:port of the flag --metrics, until it is destroyed. Null if the flag is
// empty, as it is by default. Statuses as HttpListener::Start().
absl::StatusOr<std::unique_ptr<HttpListener>> ServeMetrics(const Security& security, CollectMetrics collect);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_METRICS_METRICS_ENDPOINT_H_
