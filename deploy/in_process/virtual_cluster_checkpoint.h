// Where on the data's way: a virtual cluster at rest, in the file cluster.ckpt.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINT_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/checkpoint.pb.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// The whole state of a virtual cluster between two events.
struct VirtualClusterSnapshot {
  struct Replica {
    absl::string_view parameters;  // as ParameterSnapshot::view().bytes()
    absl::string_view gradient;    // float32, or bfloat16 if the header says so; empty if there is none
    absl::string_view residual;    // float32; empty if there is none
  };
  VirtualClusterCheckpoint header;  // without `shards`, which are in the snapshots below
  std::vector<ShardSnapshot> shards;
  std::vector<Replica> replicas;
  std::shared_ptr<const void> storage;  // what `replicas` refer to; null: the cluster's memory
};

// Statuses as WriteCheckpointFile.
absl::Status WriteVirtualCluster(const std::string& path, const VirtualClusterSnapshot& snapshot);
// Statuses as ReadCheckpointFile; DATA_LOSS also if header and sections do not fit together.
absl::StatusOr<VirtualClusterSnapshot> ReadVirtualCluster(const std::string& path);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_CHECKPOINT_H_
