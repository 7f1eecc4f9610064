// Where on the data's way: beside it; what the coordinator knows of a run, as metrics.
#ifndef DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_METRICS_H_
#define DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_METRICS_H_

#include "common/clock.h"
#include "common/metrics/metric_families.h"
#include "proto/coordinator.pb.h"
#include "server/coordinator/staleness_histogram.h"

namespace downpour {

// Adds a run's metrics. `staleness`: of all its pushes. `clock` gives the time of day for time stamps.
void AddRunMetrics(const Overview& overview, const StalenessHistogram& staleness, Clock* clock,
                   MetricFamilies* families);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_COORDINATOR_METRICS_H_
