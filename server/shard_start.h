// Where on the data's way: before the shard; from what the coordinator says to a shard ready to serve.
#ifndef DOWNPOUR_SERVER_SHARD_START_H_
#define DOWNPOUR_SERVER_SHARD_START_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "proto/coordinator.pb.h"
#include "server/parameter_shard.h"

namespace downpour {

// The shard that `registered` names: from its checkpoint in `state_dir` if there is one, else with the run's
// initial parameters. FAILED_PRECONDITION: the checkpoint is of another run, or this program lays the
// parameters out otherwise than the coordinator. Other statuses as LoadShardSnapshot, NetworkLayout and
// ShardMap::Create.
absl::StatusOr<std::unique_ptr<ParameterShard>> StartShard(const RegisterShardReply& registered,
                                                           const std::string& state_dir);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_START_H_
