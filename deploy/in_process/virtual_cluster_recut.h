// Where on the data's way: a virtual cluster at rest; its shards are re-cut between two events.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_RECUT_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_RECUT_H_

#include "deploy/in_process/virtual_cluster_checkpoint.h"

namespace downpour {

// The snapshot of a cluster of other shards: `shards` of them, as Recut() of server/shard/recut.h cuts them.
// Pushes that are under way first reach all the old shards, at once and in the order of their events, so that
// none is lost or applied twice; fetches that are under way begin again. The replicas, their data and what
// they compute stay as they are. Does nothing where the snapshot has so many shards.
//
// Statuses as Recut(), ParameterShard::Restore() and CheckCoherent().
absl::StatusOr<VirtualClusterSnapshot> RecutVirtualCluster(VirtualClusterSnapshot snapshot, int shards);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_RECUT_H_
