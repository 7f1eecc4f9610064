// Where on the data's way: serves a shard in this process over each transport, with and without rounding
// to bfloat16.
#include "tests/testing/transport.h"

#include <atomic>
#include <utility>

#include "common/check.h"
#include "common/rpc/channel.h"
#include "common/tensor/bfloat16.h"
#include "deploy/in_process/in_process_clients.h"
#include "server/service/parameter_service.h"
#include "server/service/shared_memory_service.h"
#include "tests/testing/faulty_shard_client.h"
#include "tests/testing/test_authority.h"
#include "worker/transport/grpc_shard_client.h"
#include "worker/transport/grpc_shared_memory_client.h"

namespace downpour {
namespace {

class InProcessTransport final : public Transport {
 public:
  explicit InProcessTransport(std::shared_ptr<ParameterShard> shard) : shard_(std::move(shard)) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    return std::make_unique<InProcessShardClient>(shard_.get(), run);
  }

 private:
  std::shared_ptr<ParameterShard> shard_;
};

// Both services on one port, as in downpour-server.
class Server {
 public:
  Server(std::shared_ptr<ParameterShard> shard, bool tls)
      : shard_(std::move(shard)), service_(ParameterService::Options()), shared_({.directory = "/dev/shm"}) {
    std::shared_ptr<Credentials> credentials;
    if (tls) {
      const TestAuthority authority;
      credentials = authority.For({"shard/0"});
      peer_ = {"shard/0", authority.For({"worker"})};
    }
    absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {&service_, &shared_}, {credentials});
    DOWNPOUR_CHECK(server.ok());
    server_ = *std::move(server);
    service_.Serve(shard_);
    shared_.Serve(shard_);
  }
  GrpcShardClient::Options ClientOptions(const RunKey& run) {
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.peer = peer_;
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
  Peer peer_;
  ListeningServer server_;
  std::atomic<int> clients_ = 0;
};

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(std::shared_ptr<ParameterShard> shard, bool packed = false, bool tls = false)
      : server_(std::move(shard), tls), packed_(packed) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    GrpcShardClient::Options options = server_.ClientOptions(run);
    options.pack_gradients = packed_;
    return std::make_unique<GrpcShardClient>(options);
  }

 private:
  Server server_;
  bool packed_;
};

class SharedMemoryTransport final : public Transport {
 public:
  explicit SharedMemoryTransport(std::shared_ptr<ParameterShard> shard, bool tls = false)
      : server_(std::move(shard), tls), memory_(*SharedMemoryResource::Create()) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    return std::make_unique<SharedMemoryShardClient>(
        SharedMemoryShardClient::Options{server_.ClientOptions(run), "/dev/shm", memory_.get()});
  }

 private:
  Server server_;
  const std::unique_ptr<SharedMemoryResource> memory_;
};

// The simulated network of tests/simulation, where nothing goes wrong. Each client has its own.
template <bool kBySegments>
class SimulatedTransport final : public Transport {
 public:
  explicit SimulatedTransport(std::shared_ptr<ParameterShard> shard) : shard_(std::move(shard)) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    return std::make_unique<Client>(shard_.get(), run);
  }

 private:
  class Client final : public ShardClient {
   public:
    Client(ParameterShard* shard, const RunKey& run)
        : network_(
              1, FaultRates{0, 0, 0, 0}, [shard](uint32_t) { return shard; },
              [](const FaultyNetwork::Message&, const absl::StatusOr<PushOutcome>&) {}),
          client_(&network_, {.range = shard->range(),
                              .chunk_elements = kChunkElements,
                              .run = run,
                              .by_segments = kBySegments}) {}
    KeyRange range() const override { return client_.range(); }
    absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) override {
      return client_.Push(header, planes);
    }
    absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override {
      return client_.Fetch(parameters);
    }

   private:
    FaultyNetwork network_;
    FaultyShardClient client_;
  };

  std::shared_ptr<ParameterShard> shard_;
};

// Sends and receives float32 tensors in bfloat16.
class RoundingClient final : public ShardClient {
 public:
  explicit RoundingClient(std::unique_ptr<ShardClient> client) : client_(std::move(client)) {}
  KeyRange range() const override { return client_->range(); }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) override {
    std::vector<uint16_t> rounded[kMostPlanes];
    for (size_t plane = 0; plane < planes.size(); ++plane) {
      rounded[plane].resize(planes[plane].size());
      ToBfloat16(planes[plane].floats(), absl::MakeSpan(rounded[plane]));
    }
    PushPlanes sent((TensorView(rounded[0])));
    for (size_t plane = 1; plane < planes.size(); ++plane) sent.Add(TensorView(rounded[plane]));
    return client_->Push(header, sent);
  }
  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override {
    std::vector<uint16_t> rounded(parameters.size());
    absl::StatusOr<uint64_t> version = client_->Fetch(MutableTensorView(absl::MakeSpan(rounded)));
    if (version.ok()) FromBfloat16(rounded, parameters.floats());
    return version;
  }

 private:
  const std::unique_ptr<ShardClient> client_;
};

template <typename T, auto... kOptions>
class RoundingTransport final : public Transport {
 public:
  explicit RoundingTransport(std::shared_ptr<ParameterShard> shard)
      : transport_(std::move(shard), kOptions...) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    return std::make_unique<RoundingClient>(transport_.Connect(run));
  }

 private:
  T transport_;
};

template <typename T, auto... kOptions>
std::unique_ptr<Transport> Make(std::shared_ptr<ParameterShard> shard) {
  return std::make_unique<T>(std::move(shard), kOptions...);
}

}  // namespace

std::vector<TransportKind> AllTransports() {
  return {{"InProcess", false, Make<InProcessTransport>},
          {"InProcessBfloat16", true, Make<RoundingTransport<InProcessTransport>>},
          {"Simulated", false, Make<SimulatedTransport<false>>},
          {"SimulatedBySegments", false, Make<SimulatedTransport<true>>},
          {"Grpc", false, Make<GrpcTransport>},
          {"GrpcBfloat16", true, Make<RoundingTransport<GrpcTransport>>},
          {"GrpcPacked", true, Make<RoundingTransport<GrpcTransport, true>>},
          {"GrpcTls", false, Make<GrpcTransport, false, true>},
          {"GrpcPackedTls", true, Make<RoundingTransport<GrpcTransport, true, true>>},
          {"SharedMemoryTls", false, Make<SharedMemoryTransport, true>},
          {"SharedMemory", false, Make<SharedMemoryTransport>},
          {"SharedMemoryBfloat16", true, Make<RoundingTransport<SharedMemoryTransport>>}};
}

}  // namespace downpour
