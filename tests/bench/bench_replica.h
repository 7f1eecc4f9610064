// Where on the data's way: for the benchmarks: one replica's way to one shard over gRPC.
#ifndef DOWNPOUR_TESTS_BENCH_BENCH_REPLICA_H_
#define DOWNPOUR_TESTS_BENCH_BENCH_REPLICA_H_

#include <cstdint>
#include <memory>
#include <string>

#include "common/tensor/tensor_view.h"
#include "server/shard/parameter_shard.h"
#include "tests/bench/speech_network.h"
#include "worker/replica/parameter_snapshot.h"
#include "worker/transport/grpc_shard_client.h"

namespace downpour {

// Not thread-safe. Ends the program where a push or a fetch fails.
class BenchReplica {
 public:
  // The replicas with numbers 0, 1, 2, ... share four connections.
  BenchReplica(const std::string& address, const ParameterShard::Options& shard, int number, bool bfloat16)
      : id_(static_cast<uint64_t>(number) + 1), parameters_(shard.range.size(), bfloat16) {
    GrpcShardClient::Options options;
    options.address = address;
    options.connection = number % 4;
    options.range = shard.range;
    options.run = shard.run;
    client_ = std::make_unique<GrpcShardClient>(options);
  }

  void Push(TensorView gradient) { ExitOnError(client_->Push({id_, 1, ++sequence_, 0}, gradient).status()); }
  void Fetch() { ExitOnError(client_->Fetch(parameters_.memory()).status()); }

 private:
  uint64_t id_;
  uint64_t sequence_ = 0;
  ParameterSnapshot parameters_;
  std::unique_ptr<GrpcShardClient> client_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_BENCH_BENCH_REPLICA_H_
