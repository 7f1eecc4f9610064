// Where on the data's way: between replica and shard of one host; full steps (push, ADADELTA, fetch) through
// shared memory, against what the machine's memory allows.
//   shared_memory_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
// BM_FullSteps/<workers>/<parameters>: that many replicas, each pushing a gradient of its own and fetching the
// parameters, over and over, on one shard. items_per_second: steps, all replicas together. "update": what
// ADADELTA alone would reach, on both cores and in the same bytes, between the steps of the same run; "memory":
// what a triad over as many bytes as a step moves at least (36 a parameter: 28 of ADADELTA, 8 of the fetch) would
// reach on both cores. "of_memory": steps over the latter. BM_Fetch beside memcpy of the same bytes, on one core.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <memory_resource>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/grpc_channel.h"
#include "server/parameter_service.h"
#include "server/shared_memory_service.h"
#include "worker/grpc_shared_memory_client.h"

namespace downpour {
namespace {

constexpr char kDirectory[] = "/dev/shm";

double SecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// On as many threads as there are cores, or on `threads`.
void OnThreads(int threads, const std::function<void(int)>& work) {
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work, i);
  work(0);
  for (std::thread& thread : others) thread.join();
}
int Cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

// Seconds for a[i] = b[i] + s c[i] over `bytes` bytes in all, on all cores.
class Triad {
 public:
  explicit Triad(size_t elements) : a_(elements), b_(elements, 1), c_(elements, 2) {}
  double Seconds(size_t bytes) {
    const size_t wanted = bytes / (3 * sizeof(float)) / Cores();
    const size_t n = a_.size() / Cores();
    return SecondsOf([&] {
      OnThreads(Cores(), [&](int core) {
        for (size_t left = wanted; left > 0;) {
          const size_t length = std::min(left, n);
          Run(core * n, length);
          left -= length;
        }
      });
    });
  }

 private:
  void Run(size_t begin, size_t n) {
    float* __restrict a = &a_[begin];
    const float* __restrict b = &b_[begin];
    const float* __restrict c = &c_[begin];
    for (size_t i = 0; i < n; ++i) a[i] = b[i] + 0.5f * c[i];
    benchmark::DoNotOptimize(a);
    benchmark::ClobberMemory();
  }
  std::vector<float> a_, b_, c_;
};

// A shard of ADADELTA as downpour-server serves it.
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

// As worker/replica_loop.h: gradient and parameters in memory that can be shared.
class Replica {
 public:
  Replica(const Server& server, uint64_t id, int64_t size)
      : id_(id),
        memory_(*SharedMemoryResource::Create()),
        gradient_(size, 0.01f, memory_.get()),
        parameters_(size, memory_.get()),
        client_({server.ClientOptions(), kDirectory, memory_.get()}) {}
  void Step() {
    DOWNPOUR_CHECK(client_.Push({id_, 1, ++sequence_, version_}, gradient_).ok());
    Fetch();
    DOWNPOUR_CHECK(client_.attached());
  }
  void Fetch() { version_ = *client_.Fetch(absl::MakeSpan(parameters_)); }

 private:
  const uint64_t id_;
  const std::unique_ptr<SharedMemoryResource> memory_;
  std::pmr::vector<float> gradient_;
  std::pmr::vector<float> parameters_;
  SharedMemoryShardClient client_;
  uint64_t sequence_ = 0;
  uint64_t version_ = 0;
};

// ADADELTA over `size` parameters, on all cores.
class Update {
 public:
  explicit Update(int64_t size)
      : gradient_(size, 0.01f), parameters_(size, 0.1f), mean_g2_(size), mean_dx2_(size) {
    OptimizerDescription description;
    description.set_kind(OptimizerDescription::ADADELTA);
    optimizer_ = *Optimizer::Create(description);
  }
  double Seconds() {
    const size_t n = gradient_.size() / Cores();
    return SecondsOf([&] {
      OnThreads(Cores(), [&](int core) {
        float* const state[] = {&mean_g2_[core * n], &mean_dx2_[core * n]};
        optimizer_->Apply(absl::MakeConstSpan(gradient_).subspan(core * n, n),
                          absl::MakeSpan(parameters_).subspan(core * n, n), state);
      });
    });
  }

 private:
  std::vector<float> gradient_, parameters_, mean_g2_, mean_dx2_;
  std::unique_ptr<Optimizer> optimizer_;
};

void BM_FullSteps(benchmark::State& state) {
  const int workers = static_cast<int>(state.range(0));
  const int64_t size = state.range(1);
  const int steps = workers == 1 ? 1 : 4;  // of each worker an iteration
  Server server(size);
  std::vector<std::unique_ptr<Replica>> replicas;
  for (int i = 0; i < workers; ++i) replicas.push_back(std::make_unique<Replica>(server, i + 1, size));
  Update update(size);
  Triad triad(16 << 20);
  for (const auto& replica : replicas) replica->Step();
  const int all_steps = workers * steps;
  double update_seconds = 0;
  double triad_seconds = 0;
  double step_seconds = 0;
  for (auto _ : state) {
    for (int i = 0; i < all_steps; ++i) {
      update_seconds += update.Seconds();
      triad_seconds += triad.Seconds(36 * size);
    }
    const double seconds = SecondsOf([&] {
      OnThreads(workers, [&](int worker) {
        for (int i = 0; i < steps; ++i) replicas[worker]->Step();
      });
    });
    step_seconds += seconds;
    state.SetIterationTime(seconds);
  }
  const auto done = static_cast<double>(state.iterations() * all_steps);
  state.SetItemsProcessed(state.iterations() * all_steps);
  state.counters["update"] = done / update_seconds;
  state.counters["memory"] = done / triad_seconds;
  state.counters["of_memory"] = triad_seconds / step_seconds;
}
BENCHMARK(BM_FullSteps)
    ->Args({1, 42'800'000})
    ->Args({8, 5'400'000})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

void BM_Fetch(benchmark::State& state) {
  const int64_t size = state.range(0);
  Server server(size);
  Replica replica(server, 1, size);
  replica.Fetch();
  std::vector<float> from(size, 1);
  std::vector<float> to(size, 2);
  double copy_seconds = 0;
  double fetch_seconds = 0;
  for (auto _ : state) {
    copy_seconds += SecondsOf([&] {
      std::copy(from.begin(), from.end(), to.begin());
      benchmark::DoNotOptimize(to.data());
    });
    const double seconds = SecondsOf([&] { replica.Fetch(); });
    fetch_seconds += seconds;
    state.SetIterationTime(seconds);
  }
  state.SetBytesProcessed(state.iterations() * size * static_cast<int64_t>(sizeof(float)));
  state.counters["over_memcpy"] = copy_seconds / fetch_seconds;
}
BENCHMARK(BM_Fetch)->Arg(42'800'000)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace downpour

// As BENCHMARK_MAIN(), with the command and the CPU's name above the table.
int main(int argc, char** argv) {
  benchmark::AddCustomContext("command", absl::StrJoin(argv, argv + argc, " "));
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);) {
    if (absl::StartsWith(line, "model name")) {
      benchmark::AddCustomContext("cpu", line.substr(line.find(':') + 2));
      break;
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
