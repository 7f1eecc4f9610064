// Where on the data's way: measures server/shard/: how fast pushes are applied, beside the memory they move.
//   optimizer_bench
// BM_Apply/<rule>/<bytes of a gradient's element>/<threads>: pushes to a shard of 16 Mi parameters (64 MiB
// per vector, more than most caches hold), chunk by chunk as they arrive; each thread applies one push.
// bytes_per_second counts the gradient, which is read, and the parameters and state vectors, which are read
// and written. "ratio" compares it with the triad a[i] = b[i] + s c[i] on as many threads for as many bytes;
// both are medians, timed in turn. If memory is the limit, it lies between 1 and 4/3: the triad also reads
// what it overwrites, which by custom is not counted, while all that a rule reads is counted.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/finite.h"
#include "server/optimizer/optimizer.h"
#include "server/shard/parameter_shard.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"

namespace downpour {
namespace {

constexpr int64_t kElements = int64_t{16} << 20;

std::vector<float> RandomVector(uint64_t seed) {
  std::vector<float> values(kElements);
  Random random(seed);
  for (float& value : values) value = static_cast<float>(random.Uniform() - 0.5);
  return values;
}

std::unique_ptr<ParameterShard> Shard(const OptimizerDescription& optimizer) {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"all", {kElements}}});
  options.range = {0, kElements};
  options.optimizer = optimizer;
  return *ParameterShard::Create(options, RandomVector(3));
}

void Push(ParameterShard& shard, int replica, uint64_t sequence, TensorView gradient) {
  const PushHeader header{static_cast<uint64_t>(replica), 1, sequence, 0};
  for (int64_t begin = 0; begin < kElements; begin += ParameterShard::kSegmentElements) {
    const KeyRange keys{begin, std::min(begin + ParameterShard::kSegmentElements, kElements)};
    DOWNPOUR_CHECK(shard.ApplyChunk(header, begin, gradient[keys]).ok());
  }
}

void BM_Apply(benchmark::State& state, OptimizerDescription::Kind kind) {
  const auto element_bytes = static_cast<size_t>(state.range(0));
  const int threads = static_cast<int>(state.range(1));
  OptimizerDescription description;
  description.set_kind(kind);
  const size_t state_vectors = (*Optimizer::Create(description))->state_names().size();
  const std::unique_ptr<ParameterShard> shard = Shard(description);
  const std::vector<float> gradient = RandomVector(1);
  std::vector<uint16_t> rounded(kElements);
  ToBfloat16(gradient, absl::MakeSpan(rounded));
  Triad triad(threads);
  const size_t bytes = threads * kElements * (element_bytes + sizeof(float) * (2 + 2 * state_vectors));

  const TensorView pushed = element_bytes == sizeof(float) ? TensorView(gradient) : TensorView(rounded);
  uint64_t sequence = 0;
  const auto push = [&] {
    ++sequence;
    OnThreads(threads, [&](int thread) { Push(*shard, thread + 1, sequence, pushed); });
  };
  push();
  std::vector<double> triads, pushes;
  for (auto _ : state) {
    triads.push_back(triad.SecondsFor(bytes));
    pushes.push_back(Seconds(push));
    state.SetIterationTime(pushes.back());
  }
  const double median = Median(pushes);
  state.counters["GB_per_second"] = static_cast<double>(bytes) / median / 1e9;
  state.counters["ratio"] = Median(triads) / median;
}
#define OPTIONS ArgsProduct({{4, 2}, {1, 2}})->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(15)
BENCHMARK_CAPTURE(BM_Apply, sgd, OptimizerDescription::SGD)->OPTIONS;
BENCHMARK_CAPTURE(BM_Apply, momentum, OptimizerDescription::MOMENTUM)->OPTIONS;
BENCHMARK_CAPTURE(BM_Apply, adagrad, OptimizerDescription::ADAGRAD)->OPTIONS;
BENCHMARK_CAPTURE(BM_Apply, windowed, OptimizerDescription::WINDOWED)->OPTIONS;
BENCHMARK_CAPTURE(BM_Apply, adadelta, OptimizerDescription::ADADELTA)->OPTIONS;

void BM_FindNotFinite(benchmark::State& state) {
  const std::vector<float> gradient = RandomVector(1);
  for (auto _ : state) benchmark::DoNotOptimize(FindNotFinite(gradient));
  state.SetBytesProcessed(state.iterations() * kElements * static_cast<int64_t>(sizeof(float)));
}
BENCHMARK(BM_FindNotFinite);

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
