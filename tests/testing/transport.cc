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
  explicit InProcessTransport(std::shared_ptr<ParameterShard> shard) : shard_(std::move(shard)) {}
  std::unique_ptr<ShardClient> Connect(const RunKey& run) override {
    return std::make_unique<InProcessShardClient>(shard_.get(), run);
  }

 private:
  std::shared_ptr<ParameterShard> shard_;
};

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(std::shared_ptr<ParameterShard> shard)
      : shard_(std::move(shard)), service_(ParameterService::Options()) {
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
    options.jitter_seed = static_cast<uint64_t>(clients_);
    return std::make_unique<GrpcShardClient>(options);
  }

 private:
  std::shared_ptr<ParameterShard> shard_;
  ParameterService service_;
  ListeningServer server_;
  std::atomic<int> clients_ = 0;
};

template <typename T>
std::unique_ptr<Transport> Make(std::shared_ptr<ParameterShard> shard) {
  return std::make_unique<T>(std::move(shard));
}

}  // namespace

std::vector<TransportKind> AllTransports() {
  return {{"InProcess", Make<InProcessTransport>}, {"Grpc", Make<GrpcTransport>}};
}

}  // namespace downpour
