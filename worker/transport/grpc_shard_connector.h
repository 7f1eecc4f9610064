// Where on the data's way: at the replica's end of the wire; opens the way to a shard at its address.
#ifndef DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CONNECTOR_H_
#define DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CONNECTOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/wire/shared_memory.h"
#include "worker/replica/shard_client.h"

namespace downpour {

// Memory to share with shards that are met in `directory`; null, which is logged where it is not meant, if
// `directory` is empty or the system has none.
std::unique_ptr<SharedMemoryResource> SharedMemoryFor(const std::string& directory);

// Connects for the replica or evaluator number `index` of this process: by shared memory with shards that are
// on this host, by gRPC with others. The clients retry for a moment only: a loop looks a shard up again that
// stays away. `stopped` is asked between retries. The connector always succeeds and is thread-safe: a shard
// that cannot be reached is UNAVAILABLE at the first call. `memory`, not owned, of SharedMemoryFor(directory);
// null: always by gRPC.
ShardConnector GrpcShardConnector(int index, std::function<bool()> stopped, const std::string& directory,
                                  SharedMemoryResource* memory);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CONNECTOR_H_
