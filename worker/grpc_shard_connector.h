// Where on the data's way: at the replica's end of the wire; opens the way to a shard at its address.
#ifndef DOWNPOUR_WORKER_GRPC_SHARD_CONNECTOR_H_
#define DOWNPOUR_WORKER_GRPC_SHARD_CONNECTOR_H_

#include <cstdint>
#include <functional>

#include "worker/replica_loop.h"

namespace downpour {

// Connects by gRPC for the replica or evaluator number `index` of this process. The clients retry for a
// moment only: a loop looks a shard up again that stays away. `stopped` is asked between retries. The
// connector always succeeds and is thread-safe: a shard that cannot be reached is UNAVAILABLE at the first
// call.
ShardConnector GrpcShardConnector(int index, std::function<bool()> stopped);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_GRPC_SHARD_CONNECTOR_H_
