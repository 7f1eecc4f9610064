// Where on the data's way: deploy/plan, before a run; from a run description to what its cluster must have.
#ifndef DOWNPOUR_DEPLOY_PLAN_PLAN_H_
#define DOWNPOUR_DEPLOY_PLAN_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"

namespace downpour {

// What a cluster is made of. Every worker and every shard has a machine of its own, and a worker has one
// replica. A value.
struct Machines {
  int64_t workers = 0;
  double worker_bytes_per_s = 0;  // of a worker's link, in each direction
  double shard_bytes_per_s = 0;   // of a shard's
  int shard_cores = 8;
};

// What bounds the updates a second. In the order in which reports name them.
enum class Bound { kWorkers, kShardLinks, kShardCores, kCoordinator };

// Rates are a second, sizes bytes. An update is one push that all shards have applied. The rates are those of
// replicas that do not wait for each other, an upper bound for other cluster.consistency.
struct Plan {
  int64_t parameters = 0;
  double push_bytes = 0;  // of one replica to all shards
  double fetch_bytes = 0;
  double standby_bytes = 0;  // of one push, from all shards to their standbys
  double compute_s = 0;      // mean of one gradient, stragglers included
  double fetch_s = 0;        // of one fetch and one push while no link is shared
  double push_s = 0;
  double asked = 0;        // updates that the workers would make if the shards kept up
  double links_carry = 0;  // updates that the links of cluster.shards carry
  double cores_carry = 0;
  double coordinator_carries = 0;
  double updates = 0;  // expected: the least of these
  Bound bound = Bound::kWorkers;
  int64_t shards_for_links = 0;  // so that they carry all that is asked; 0: no number does
  int64_t shards_for_cores = 0;
  double shard_memory = 0;   // with cluster.shards: parameters, optimizer state, connections; a standby's too
  double shard_disk = 0;     // two checkpoints and a third while it is written
  double worker_memory = 0;  // without the data
  double evaluator_memory = 0;
  int64_t shard_descriptors = 0;  // open files, one a worker and those that a server keeps for itself
};

// Computes in closed form, from `description` and the speeds in its virtual_clock; latency_s is that of one
// message. bandwidth_bytes_per_s and shard_bytes_per_s of virtual_clock are not looked at.
// INVALID_ARGUMENT: no workers or links; data.classes is 0, as the data are not read; or as NetworkLayout(),
// ShardMap::Create() and Optimizer::Create(). `input_dim`: values of an input window.
absl::StatusOr<Plan> MakePlan(const RunDescription& description, int64_t input_dim, const Machines& machines);

// How many workers bring `bound` to its end; infinity where none do.
double WorkersAt(const Plan& plan, Bound bound, const Machines& machines);

// Bytes a second of "10Gbit", "100Mbit", "1.25GB". INVALID_ARGUMENT: anything else, or not above 0.
absl::StatusOr<double> ParseLink(absl::string_view text);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_PLAN_PLAN_H_
