// Where on the data's way: between replica and shard; every way there is, for tests that hold them all to the
// same.
#include "tests/testing/transport.h"

#include <atomic>
#include <utility>

#include "common/check.h"
#include "common/grpc_channel.h"
#include "deploy/in_process_clients.h"
#include "server/parameter_service.h"
#include "server/shared_memory_service.h"
#include "worker/grpc_shard_client.h"
#include "worker/grpc_shared_memory_client.h"

namespace downpour {
namespace {

class InProcessTransport final : public Transport {
 public:
  InProcessTransport(std::shared_ptr<ParameterShard> shard, ClusterDescription::WireFormat wire)
      : shard_(std::move(shard)), wire_(wire) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    return std::make_unique<InProcessShardClient>(shard_.get(), run, wire_);
  }

 private:
  std::shared_ptr<ParameterShard> shard_;
  ClusterDescription::WireFormat wire_;
};

// Both services at one port, as downpour-server has them.
class Server {
 public:
  explicit Server(std::shared_ptr<ParameterShard> shard)
      : shard_(std::move(shard)), service_(ParameterService::Options()), shared_({.directory = "/dev/shm"}) {
    absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {&service_, &shared_});
    DOWNPOUR_CHECK(server.ok());
    server_ = *std::move(server);
    service_.Serve(shard_);
    shared_.Serve(shard_);
  }
  GrpcShardClient::Options ClientOptions(const RunKey& run) {
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.connection = clients_++ % 4;
    options.range = shard_->range();
    options.run = run;
    options.jitter_seed = static_cast<uint64_t>(clients_);
    return options;
  }

 private:
  std::shared_ptr<ParameterShard> shard_;
  ParameterService service_;
  SharedMemoryService shared_;
  ListeningServer server_;
  std::atomic<int> clients_ = 0;
};

class GrpcTransport final : public Transport {
 public:
  GrpcTransport(std::shared_ptr<ParameterShard> shard, ClusterDescription::WireFormat wire,
                bool packed = false)
      : server_(std::move(shard)), wire_(wire), packed_(packed) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    GrpcShardClient::Options options = server_.ClientOptions(run);
    options.wire = wire_;
    options.pack_gradients = packed_;
    return std::make_unique<GrpcShardClient>(options);
  }

 private:
  Server server_;
  ClusterDescription::WireFormat wire_;
  bool packed_;
};

class SharedMemoryTransport final : public Transport {
 public:
  SharedMemoryTransport(std::shared_ptr<ParameterShard> shard, ClusterDescription::WireFormat wire)
      : server_(std::move(shard)), wire_(wire), memory_(*SharedMemoryResource::Create()) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    GrpcShardClient::Options options = server_.ClientOptions(run);
    options.wire = wire_;
    return std::make_unique<SharedMemoryShardClient>(
        SharedMemoryShardClient::Options{options, "/dev/shm", memory_.get()});
  }

 private:
  Server server_;
  ClusterDescription::WireFormat wire_;
  const std::unique_ptr<SharedMemoryResource> memory_;
};

template <typename T, ClusterDescription::WireFormat kWire, bool... kPacked>
std::unique_ptr<Transport> Make(std::shared_ptr<ParameterShard> shard) {
  return std::make_unique<T>(std::move(shard), kWire, kPacked...);
}

}  // namespace

std::vector<TransportKind> AllTransports() {
  return {{"InProcess", false, Make<InProcessTransport, ClusterDescription::FLOAT32>},
          {"InProcessBfloat16", true, Make<InProcessTransport, ClusterDescription::BFLOAT16>},
          {"Grpc", false, Make<GrpcTransport, ClusterDescription::FLOAT32>},
          {"GrpcBfloat16", true, Make<GrpcTransport, ClusterDescription::BFLOAT16>},
          {"GrpcPacked", true, Make<GrpcTransport, ClusterDescription::BFLOAT16, true>},
          // Has no wire, and so rounds nothing.
          {"SharedMemory", false, Make<SharedMemoryTransport, ClusterDescription::BFLOAT16>}};
}

}  // namespace downpour
