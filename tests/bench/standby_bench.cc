// Where on the data's way: measures what standbys cost: steps of the full network's 42.8 M parameters over
// loopback, with a standby for each of two shards and without.
//   standby_bench
// BM_Steps/<bytes>/<replicas>: every replica pushes (with ADADELTA) and then fetches all parameters, with
// elements of so many bytes; with 8 replicas, a network of an eighth of the width, 3.2 M parameters.
//   per_second, alone_per_second  with standbys and without, medians, measured in turn; of_alone is the quotient
//   bytes, bytes_alone            that a step sends over loopback, all headers included, in millions
// All servers, standbys and replicas share this machine's cores.
#include <benchmark/benchmark.h>

#include <deque>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/channel.h"
#include "common/wire/run_identity.h"
#include "server/service/grpc_shard_follower.h"
#include "server/service/parameter_service.h"
#include "server/service/replication_service.h"
#include "server/shard/shard_start.h"
#include "tests/bench/bench_replica.h"
#include "tests/bench/gradient.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"
#include "tests/bench/speech_network.h"
#include "worker/replica/parameter_snapshot.h"

namespace downpour {
namespace {

constexpr uint64_t kServer = 1;  // the standbys' number

// Bytes that have gone over the loopback device since the machine started.
double LoopbackBytes() {
  std::ifstream devices("/proc/net/dev");
  for (std::string word; devices >> word;) {
    double bytes;
    if (word == "lo:" && devices >> bytes) return bytes;
  }
  return 0;
}

RunDescription FullNetwork(int replicas) {
  RunDescription description;
  for (int layer = 0; layer < 4; ++layer) description.mutable_network()->add_hidden_width(2560 / replicas);
  description.mutable_cluster()->set_shards(2);
  return description;
}

class Cluster {
 public:
  Cluster(int replicas, bool bfloat16, bool standbys) {
    RegisterShardReply registered;
    *registered.mutable_description() = FullNetwork(replicas);
    registered.mutable_data()->set_input_dim(kSpeechInputs);
    registered.mutable_data()->set_classes(kSpeechClasses);
    registered.mutable_data()->set_frames(1);
    const auto options = ShardOptions(registered.description(), "bench", registered.data());
    ExitOnError(options.status());
    for (const ParameterShard::Options& of_shard : *options) {
      Shard& shard = shards_.emplace_back();
      shard.primary = *ParameterShard::Create(of_shard, std::vector<float>(of_shard.range.size()));
      shard.service = std::make_unique<ParameterService>(ParameterService::Options());
      shard.service->Serve(shard.primary);
      shard.replication = std::make_unique<ReplicationService>();
      shard.replication->Serve(shard.primary);
      shard.server = *ListenAt("127.0.0.1:0", {shard.service.get(), shard.replication.get()});
      gradients_.push_back(MakeGradient(of_shard.range.size(), bfloat16));
      for (int replica = 0; replica < replicas; ++replica) {
        clients_.push_back(
            {BenchReplica(shard.server.address, of_shard, replica, bfloat16), &gradients_.back()});
      }
      if (standbys) Follow(of_shard, &registered, &shard);
    }
  }

  void Step() {
    OnThreads(static_cast<int>(clients_.size()), [&](int index) {
      Client& client = clients_[index];
      client.replica.Push(client.gradient->view());
      client.replica.Fetch();
    });
  }

 private:
  struct Shard {
    std::shared_ptr<ParameterShard> primary;
    std::unique_ptr<ParameterService> service;
    std::unique_ptr<ReplicationService> replication;
    ListeningServer server;
    std::unique_ptr<GrpcShardFollower> standby;
  };
  struct Client {
    BenchReplica replica;
    const ParameterSnapshot* gradient;
  };

  // Returns when pushes wait for the standby.
  static void Follow(const ParameterShard::Options& options, RegisterShardReply* registered, Shard* shard) {
    FillRunIdentity(options.run, registered->mutable_run());
    registered->set_shard(options.shard);
    registered->set_primary(shard->server.address);
    shard->primary->log().Expect(kServer);
    shard->standby = std::make_unique<GrpcShardFollower>(nullptr, [](const auto&, const auto&) {});
    shard->standby->Follow(*registered, kServer);
    while (shard->primary->log().TakeFollowing().ready != kServer) std::this_thread::yield();
  }

  std::deque<ParameterSnapshot> gradients_;
  std::deque<Shard> shards_;
  std::vector<Client> clients_;
};

void BM_Steps(benchmark::State& state) {
  const bool bfloat16 = state.range(0) == 2;
  const int replicas = static_cast<int>(state.range(1));
  Cluster with(replicas, bfloat16, /*standbys=*/true), without(replicas, bfloat16, /*standbys=*/false);
  with.Step();
  without.Step();
  std::vector<double> with_seconds, without_seconds;
  double with_bytes = 0, without_bytes = 0;
  for (auto _ : state) {
    const double before = LoopbackBytes();
    without_seconds.push_back(Seconds([&] { without.Step(); }));
    const double between = LoopbackBytes();
    with_seconds.push_back(Seconds([&] { with.Step(); }));
    without_bytes += between - before;
    with_bytes += LoopbackBytes() - between;
    state.SetIterationTime(with_seconds.back());
  }
  const double with_time = Median(with_seconds), without_time = Median(without_seconds);
  const double steps = 1e6 * replicas * static_cast<double>(with_seconds.size());
  state.counters["per_second"] = replicas / with_time;
  state.counters["alone_per_second"] = replicas / without_time;
  state.counters["of_alone"] = without_time / with_time;
  state.counters["bytes"] = with_bytes / steps;
  state.counters["bytes_alone"] = without_bytes / steps;
}

BENCHMARK(BM_Steps)
    ->ArgNames({"bytes", "replicas"})
    ->ArgsProduct({{4, 2}, {1, 8}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(11);

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
