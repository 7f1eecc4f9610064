// Where on the data's way: measures the way between replica and shard of one host: full steps (push,
// ADADELTA, fetch) through shared memory, compared with what the machine's memory allows.
//   shared_memory_bench
// BM_FullSteps/<bytes of an element>/<workers>/<parameters>: so many replicas of one shard, each of
// which again and again pushes a gradient of its own and fetches the parameters. The ratio compares them
// with a triad on all cores for the bytes that a step must move at least (in float32 36 per parameter:
// 28 for ADADELTA, 8 for the fetch). BM_Fetch is compared with std::copy on one core. All are medians,
// timed in turn.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "common/check.h"
#include "common/rpc/channel.h"
#include "server/service/parameter_service.h"
#include "server/service/shared_memory_service.h"
#include "tests/bench/gradient.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"
#include "worker/replica/parameter_snapshot.h"
#include "worker/transport/grpc_shared_memory_client.h"

namespace downpour {
namespace {

constexpr char kDirectory[] = "/dev/shm";

// A shard with ADADELTA, served as by downpour-server.
class Server {
 public:
  explicit Server(int64_t size) : service_({}), shared_({.directory = kDirectory}) {
    const absl::StatusOr<ParameterLayout> layout = ParameterLayout::Create({{"all", {size}}});
    ParameterShard::Options options;
    options.run = {"bench", layout->fingerprint()};
    options.range = {0, size};
    options.layout = *layout;
    options.optimizer.set_kind(OptimizerDescription::ADADELTA);
    shard_ = *ParameterShard::Create(options, std::vector<float>(size, 0.1f));
    server_ = *ListenAt("127.0.0.1:0", {&service_, &shared_});
    service_.Serve(shard_);
    shared_.Serve(shard_);
  }
  GrpcShardClient::Options ClientOptions() const {
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.range = shard_->range();
    options.run = shard_->run();
    return options;
  }

 private:
  std::shared_ptr<ParameterShard> shard_;
  ParameterService service_;
  SharedMemoryService shared_;
  ListeningServer server_;
};

// As in worker/replica/replica_loop.h, gradient and parameters are in memory that can be shared.
class Replica {
 public:
  Replica(const Server& server, uint64_t id, int64_t size, bool bfloat16)
      : id_(id),
        memory_(*SharedMemoryResource::Create()),
        gradient_(MakeGradient(size, bfloat16, memory_.get())),
        parameters_(size, bfloat16, memory_.get()),
        client_({server.ClientOptions(), kDirectory, memory_.get()}) {}
  void Step() {
    DOWNPOUR_CHECK(client_.Push({id_, 1, ++sequence_, version_}, gradient_.view()).ok());
    Fetch();
    DOWNPOUR_CHECK(client_.attached());
  }
  void Fetch() { version_ = *client_.Fetch(parameters_.memory()); }

 private:
  const uint64_t id_;
  const std::unique_ptr<SharedMemoryResource> memory_;
  const ParameterSnapshot gradient_;
  ParameterSnapshot parameters_;
  SharedMemoryShardClient client_;
  uint64_t sequence_ = 0;
  uint64_t version_ = 0;
};

void BM_FullSteps(benchmark::State& state) {
  const bool bfloat16 = state.range(0) == 2;
  const int workers = static_cast<int>(state.range(1));
  const int64_t size = state.range(2);
  const int steps = workers == 1 ? 1 : 4;  // of each worker in one iteration
  Server server(size);
  std::vector<std::unique_ptr<Replica>> replicas;
  for (int i = 0; i < workers; ++i)
    replicas.push_back(std::make_unique<Replica>(server, i + 1, size, bfloat16));
  Triad triad(Cores());
  for (const auto& replica : replicas) replica->Step();
  std::vector<double> triads, all_steps;
  for (auto _ : state) {
    // Parameters, E[g^2] and E[dx^2] are read and written; the gradient is read; the fetch reads and writes.
    const int64_t bytes = int64_t{6 + 1} * 4 + 2 * state.range(0);
    triads.push_back(triad.SecondsFor(static_cast<size_t>(bytes * size) * workers * steps));
    all_steps.push_back(Seconds([&] {
      OnThreads(workers, [&](int worker) {
        for (int i = 0; i < steps; ++i) replicas[worker]->Step();
      });
    }));
    state.SetIterationTime(all_steps.back());
  }
  state.counters["steps_per_second"] = workers * steps / Median(all_steps);
  state.counters["ratio"] = Median(triads) / Median(all_steps);
}
BENCHMARK(BM_FullSteps)
    ->ArgNames({"bytes", "workers", "parameters"})
    ->Args({4, 1, 42'800'000})
    ->Args({4, 8, 5'350'000})
    ->Args({2, 1, 42'800'000})
    ->Args({2, 8, 5'350'000})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(11);

void BM_Fetch(benchmark::State& state) {
  const int64_t size = state.range(0);
  Server server(size);
  Replica replica(server, 1, size, /*bfloat16=*/false);
  replica.Fetch();
  const std::vector<float> from(size, 1);
  std::vector<float> to(size, 2);
  std::vector<double> copies, fetches;
  for (auto _ : state) {
    copies.push_back(Seconds([&] {
      std::copy(from.begin(), from.end(), to.begin());
      benchmark::DoNotOptimize(to.data());
    }));
    fetches.push_back(Seconds([&] { replica.Fetch(); }));
    state.SetIterationTime(fetches.back());
  }
  state.counters["GB_per_second"] = static_cast<double>(size) * sizeof(float) / Median(fetches) / 1e9;
  state.counters["ratio"] = Median(copies) / Median(fetches);
}
BENCHMARK(BM_Fetch)->Arg(42'800'000)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(11);

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
