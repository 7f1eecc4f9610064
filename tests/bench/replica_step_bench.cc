// Where on the data's way: measures the whole way in one process: whole steps of replicas at the paper's
// size, and their parts.
//   replica_step_bench
// BM_ReplicaStep/<frames>/<replicas>/<bytes of an element on the wire>: two shards, and one replica on both
// cores or two replicas on one core each. A step is fetch, gradient, and push with ADADELTA; times are
// medians. Each part is compared with what the machine can do, timed in turn with the steps: "fetch" and
// "push" with a triad over as many bytes, "gradient" with its bare matrix products, and frames_ratio (frames
// per second of all replicas) with the frames per second of these products.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/layout/network_layout.h"
#include "common/layout/shard_map.h"
#include "deploy/in_process/in_process_clients.h"
#include "server/shard/parameter_shard.h"
#include "tests/bench/measure.h"
#include "tests/bench/plain_products.h"
#include "tests/bench/run_benchmarks.h"
#include "tests/bench/speech_network.h"
#include "worker/replica/model_replica.h"
#include "worker/replica/parameter_snapshot.h"

namespace downpour {
namespace {

constexpr int kShards = 2;
constexpr int64_t kDataFrames = 20000;

std::vector<std::unique_ptr<ParameterShard>> MakeShards(const ParameterLayout& layout) {
  const ShardMap map = *ShardMap::Create(layout.size(), kShards);
  std::vector<std::unique_ptr<ParameterShard>> shards;
  for (int shard = 0; shard < kShards; ++shard) {
    ParameterShard::Options options;
    options.layout = layout;
    options.range = map.range(shard);
    std::vector<float> initial(options.range.size());
    InitializeParameters(layout, NetworkDescription(), 1, options.range, absl::MakeSpan(initial));
    shards.push_back(*ParameterShard::Create(std::move(options), initial));
  }
  return shards;
}

// Does what ReplicaLoop does, with shards of its own process.
class SteppingReplica {
 public:
  SteppingReplica(int index, int threads, int64_t frames, const ClusterDescription& cluster,
                  std::shared_ptr<const Dataset> data, std::vector<std::unique_ptr<ParameterShard>>& shards)
      : threads_(threads),
        shards_(shards),
        network_(*Network::Create({.network = SpeechNetwork(NetworkDescription::AUTO),
                                   .input_dim = kSpeechInputs,
                                   .classes = kSpeechClasses,
                                   .max_frames = frames,
                                   .threads = threads})),
        pool_(network_->layout().size()),
        rounded_pool_(network_->layout().size()),
        parameters_(network_->layout().size(), TravelsInBfloat16(cluster)),
        model_({.replica_id = static_cast<uint64_t>(index + 1), .cluster = cluster, .shards = kShards},
               network_->layout().size(), MinibatchSource(std::move(data), frames, 1), &pool_,
               PushesInBfloat16(cluster) ? &rounded_pool_ : nullptr) {}

  void Step() {
    if (model_.source().needs_slice()) {
      DataSlice slice;
      slice.set_index(slices_++);
      slice.set_end(kDataFrames / kSpeechUtterance);
      ExitOnError(model_.source().AddSlice(slice));
    }
    fetch_s.push_back(Seconds([&] { Fetch(); }));
    gradient_s.push_back(
        Seconds([&] { ExitOnError(model_.ComputeGradient(parameters_.view(), *network_)); }));
    push_s.push_back(Seconds([&] { Push(); }));
  }

  std::string precision() const { return network_->precision(); }

  std::vector<double> fetch_s, gradient_s, push_s;

 private:
  void ForEachShard(const std::function<void(int)>& call) {
    if (threads_ > 1) return OnThreads(kShards, call);
    for (int shard = 0; shard < kShards; ++shard) call(shard);
  }
  void Fetch() {
    std::vector<uint64_t> versions(kShards);
    ForEachShard([&](int shard) {
      versions[shard] = shards_[shard]->version();
      const KeyRange range = shards_[shard]->range();
      ExitOnError(shards_[shard]->Read(range, parameters_.memory()[range]));
    });
    model_.FetchDone(std::move(versions));
  }
  void Push() {
    std::vector<uint64_t> staleness(kShards);
    ForEachShard([&](int shard) {
      const KeyRange range = shards_[shard]->range();
      InProcessShardClient client(shards_[shard].get(), shards_[shard]->run());
      const auto outcome = client.Push(model_.NextPush(shard), model_.gradient()[range]);
      ExitOnError(outcome.status());
      staleness[shard] = outcome->staleness;
    });
    model_.PushDone(staleness);
  }

  const int threads_;
  std::vector<std::unique_ptr<ParameterShard>>& shards_;
  const std::unique_ptr<Network> network_;
  GradientPool pool_;
  RoundedGradientPool rounded_pool_;
  ParameterSnapshot parameters_;
  ModelReplica model_;
  int64_t slices_ = 0;
};

void BM_ReplicaStep(benchmark::State& state) {
  const int64_t frames = state.range(0);
  const int replicas = static_cast<int>(state.range(1));
  const auto element_bytes = static_cast<double>(state.range(2));
  const int cores = Cores();
  ClusterDescription cluster;
  if (element_bytes == 2) cluster.set_wire(ClusterDescription::BFLOAT16);
  const ParameterLayout layout =
      *NetworkLayout(SpeechNetwork(NetworkDescription::AUTO), kSpeechInputs, kSpeechClasses);
  std::vector<std::unique_ptr<ParameterShard>> shards = MakeShards(layout);
  const std::shared_ptr<const Dataset> data = SpeechData(kDataFrames, kSpeechClasses);
  std::vector<std::unique_ptr<SteppingReplica>> steppers;
  for (int replica = 0; replica < replicas; ++replica)
    steppers.push_back(
        std::make_unique<SteppingReplica>(replica, cores / replicas, frames, cluster, data, shards));
  SteppingReplica& first = *steppers[0];
  const auto precision =
      first.precision() == "bfloat16" ? NetworkDescription::BFLOAT16 : NetworkDescription::FLOAT32;
  omp_set_num_threads(cores);
  BareProducts products(layout, std::vector<float>(layout.size(), 0.01f), frames, precision,
                        /*bfloat16_gradient=*/element_bytes == 2);
  PlainProducts plain(layout, frames, precision);
  Triad triad(cores);
  const double elements = static_cast<double>(layout.size());
  const double fetch_bytes = elements * (sizeof(float) + element_bytes);
  const double push_bytes = elements * 28;  // gradient; parameters, E[g^2] and E[dx^2] read and written
  const auto step = [&] { OnThreads(replicas, [&](int replica) { steppers[replica]->Step(); }); };
  step();
  for (auto* parts : {&first.fetch_s, &first.gradient_s, &first.push_s}) parts->clear();

  std::vector<double> step_s, products_s, plain_s, fetch_limit_s, push_limit_s;
  for (auto _ : state) {
    omp_set_num_threads(cores);
    products_s.push_back(Seconds([&] { products.Compute(); }));
    plain_s.push_back(Seconds([&] { plain.Compute(); }));
    fetch_limit_s.push_back(triad.SecondsFor(static_cast<size_t>(fetch_bytes)));
    push_limit_s.push_back(triad.SecondsFor(static_cast<size_t>(push_bytes)));
    step_s.push_back(Seconds(step));
    state.SetIterationTime(step_s.back());
  }
  const auto report = [&](const char* name, const std::vector<double>& seconds) {
    state.counters[name] = 1e3 * Median(seconds);
  };
  state.SetLabel(first.precision());
  report("step_ms", step_s);
  report("fetch_ms", first.fetch_s);
  report("fetch_limit_ms", fetch_limit_s);
  report("gradient_ms", first.gradient_s);
  report("products_ms", products_s);
  report("plain_ms", plain_s);
  report("push_ms", first.push_s);
  report("push_limit_ms", push_limit_s);
  state.counters["of_products"] = replicas * Median(products_s) / Median(step_s);
  state.counters["of_plain"] = replicas * Median(plain_s) / Median(step_s);
}
BENCHMARK(BM_ReplicaStep)
    ->ArgNames({"frames", "replicas", "wire"})
    ->ArgsProduct({{100, 256}, {1, 2}, {4, 2}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(11);

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
