// Where on the data's way: between replica and shard; every way there is, for tests that hold them all to the
// same.
#include "tests/testing/transport.h"

#include <atomic>
#include <utility>

#include "common/check.h"
#include "common/grpc_channel.h"
#include "deploy/in_process_clients.h"
#include "server/parameter_service.h"
#include "worker/grpc_shard_client.h"

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

class GrpcTransport final : public Transport {
 public:
  GrpcTransport(std::shared_ptr<ParameterShard> shard, ClusterDescription::WireFormat wire)
      : shard_(std::move(shard)), wire_(wire), service_(ParameterService::Options()) {
    absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {&service_});
    DOWNPOUR_CHECK(server.ok());
    server_ = *std::move(server);
    service_.Serve(shard_);
  }
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.connection = clients_++ % 4;
    options.range = shard_->range();
    options.run = run;
    options.wire = wire_;
    options.jitter_seed = static_cast<uint64_t>(clients_);
    return std::make_unique<GrpcShardClient>(options);
  }

 private:
  std::shared_ptr<ParameterShard> shard_;
  ClusterDescription::WireFormat wire_;
  ParameterService service_;
  ListeningServer server_;
  std::atomic<int> clients_ = 0;
};

template <typename T, ClusterDescription::WireFormat kWire>
std::unique_ptr<Transport> Make(std::shared_ptr<ParameterShard> shard) {
  return std::make_unique<T>(std::move(shard), kWire);
}

}  // namespace

std::vector<TransportKind> AllTransports() {
  return {{"InProcess", false, Make<InProcessTransport, ClusterDescription::FLOAT32>},
          {"InProcessBfloat16", true, Make<InProcessTransport, ClusterDescription::BFLOAT16>},
          {"Grpc", false, Make<GrpcTransport, ClusterDescription::FLOAT32>},
          {"GrpcBfloat16", true, Make<GrpcTransport, ClusterDescription::BFLOAT16>}};
}

}  // namespace downpour
