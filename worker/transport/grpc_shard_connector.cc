// Where on the data's way: makes clients for shared memory where this process has any, else for gRPC alone.
#include "worker/transport/grpc_shard_connector.h"

#include "common/back_off.h"
#include "common/program/logging.h"
#include "common/random.h"
#include "worker/replica/gradient_compressor.h"
#include "worker/transport/grpc_shard_client.h"
#include "worker/transport/grpc_shared_memory_client.h"

namespace downpour {

std::unique_ptr<SharedMemoryResource> SharedMemoryFor(const std::string& directory) {
  if (directory.empty()) return nullptr;
  absl::StatusOr<std::unique_ptr<SharedMemoryResource>> memory = SharedMemoryResource::Create();
  if (memory.ok()) return *std::move(memory);
  LogWarning("no shared memory, so all goes over gRPC: ", memory.status().message());
  return nullptr;
}

ShardConnector GrpcShardConnector(int index, std::function<bool()> stopped,
                                  std::shared_ptr<Credentials> credentials, const std::string& directory,
                                  SharedMemoryResource* memory) {
  // One TCP connection keeps about one core busy, and a process gains nothing from more than a few.
  constexpr int kConnections = 4;
  return [index, stopped = std::move(stopped), credentials = std::move(credentials), directory, memory](
             const ShardAddress& address, const KeyRange& range, const RunKey& run,
             const ClusterDescription& cluster) -> absl::StatusOr<std::unique_ptr<ShardClient>> {
    GrpcShardClient::Options options;
    options.address = address.address();
    options.peer = {ShardRole(address.shard()), credentials};
    options.connection = index % kConnections;
    options.range = range;
    options.run = run;
    options.run.view = address.view();
    options.pack_gradients = CompressesGradients(cluster);
    options.retry.give_up_after = absl::Seconds(2);
    options.retry.stopped = stopped;
    options.jitter_seed = RandomAt(ProcessJitterSeed(), index);
    if (memory == nullptr) return std::make_unique<GrpcShardClient>(options);
    return std::make_unique<SharedMemoryShardClient>(
        SharedMemoryShardClient::Options{options, directory, memory});
  };
}

}  // namespace downpour
