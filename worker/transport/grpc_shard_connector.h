// Where on the data's way: from a shard's address to the client through which a replica reaches it.
#ifndef DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CONNECTOR_H_
#define DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CONNECTOR_H_

#include <string>

#include "common/rpc/credentials.h"
#include "common/wire/shared_memory.h"
#include "worker/replica/shard_client.h"

namespace downpour {

// Memory to share with the shards that have a socket in `directory`. Null if `directory` is empty, or if the
// system has no such memory, which is logged.
std::unique_ptr<SharedMemoryResource> SharedMemoryFor(const std::string& directory);

// Makes clients for the replica or evaluator number `index` of this process: through shared memory for shards
// on this host, over gRPC for others. The clients retry for two seconds only, as the loops ask the
// coordinator again where a shard is that does not answer. `stopped` is asked between retries. The connector
// is thread-safe and always succeeds: a shard that cannot be reached is UNAVAILABLE at the first call.
// `memory` is not owned and comes from SharedMemoryFor(directory); null: always over gRPC.
// `credentials` may be null: without TLS.
ShardConnector GrpcShardConnector(int index, std::function<bool()> stopped,
                                  std::shared_ptr<Credentials> credentials, const std::string& directory,
                                  SharedMemoryResource* memory);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CONNECTOR_H_
