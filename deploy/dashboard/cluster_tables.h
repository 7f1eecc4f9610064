// Where on the data's way: the live page; makes tables of replicas and shards of the coordinator's answer.
#ifndef DOWNPOUR_DEPLOY_DASHBOARD_CLUSTER_TABLES_H_
#define DOWNPOUR_DEPLOY_DASHBOARD_CLUSTER_TABLES_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// The newest answer, and an older one that makes speeds, if there is one.
struct ClusterNow {
  const Overview& now;
  const Overview* older = nullptr;
  absl::Duration span = absl::ZeroDuration();  // between the two
};

enum class ReplicaOrder { kId, kHost, kSpeed, kSilence, kStaleness, kRejected };
// As it stands in an address: "id", "host", ... Unknown text is kId.
ReplicaOrder ReplicaOrderFrom(absl::string_view text);

// Markup. A sentence on the run, a square a replica, and those that are gone.
std::string ClusterSummary(const ClusterNow& cluster);
// A row a replica, in this order; slow and silent ones are marked. `link` gives the address of the page with
// another order, by its name. Speeds are frames a second.
std::string ReplicaTable(const ClusterNow& cluster, ReplicaOrder order,
                         const std::function<std::string(absl::string_view)>& link);
std::string ShardTable(const ClusterNow& cluster);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_DASHBOARD_CLUSTER_TABLES_H_
