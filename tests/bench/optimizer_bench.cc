// Where on the data's way: inside the shard; how fast the update rules are against the memory they move.
//   optimizer_bench --benchmark_min_time=2
// BM_Apply/<rule>: one step over 16 Mi parameters (64 MiB a vector, beyond most caches), one thread.
// bytes_per_second counts the gradient read, and parameters and state vectors read and written. "triad" is
// the rate of a[i] = b[i] + s c[i] over as many bytes, between the steps of the same run; "ratio" is the
// rule's rate over it. Where memory is the limit the ratio lies between 1 and 4/3: the triad also reads what
// it overwrites, which by custom is not counted, while a rule's reads all count.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/random.h"
#include "server/finite.h"
#include "server/optimizer/optimizer.h"
#include "tests/bench/run_benchmarks.h"

namespace downpour {
namespace {

constexpr size_t kElements = size_t{16} << 20;

std::vector<float> RandomVector(uint64_t seed) {
  std::vector<float> values(kElements);
  Random random(seed);
  for (float& value : values) value = static_cast<float>(random.Uniform() - 0.5);
  return values;
}

// Seconds for a triad over `bytes` bytes in all.
double TriadSeconds(size_t bytes, const std::vector<float>& b, const std::vector<float>& c,
                    std::vector<float>* a) {
  const auto start = std::chrono::steady_clock::now();
  for (size_t left = bytes / (3 * sizeof(float)); left > 0;) {
    const size_t n = std::min(left, kElements);
    for (size_t i = 0; i < n; ++i) (*a)[i] = b[i] + 0.5f * c[i];
    benchmark::DoNotOptimize(a->data());
    benchmark::ClobberMemory();
    left -= n;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void BM_Apply(benchmark::State& state, OptimizerDescription::Kind kind) {
  OptimizerDescription description;
  description.set_kind(kind);
  const std::unique_ptr<Optimizer> optimizer = *Optimizer::Create(description);
  const std::vector<float> gradient = RandomVector(1);
  const std::vector<float> other = RandomVector(2);
  std::vector<float> parameters = RandomVector(3);
  std::vector<std::vector<float>> memory(optimizer->state_names().size(), std::vector<float>(kElements));
  std::vector<float*> pointers;
  for (std::vector<float>& vector : memory) pointers.push_back(vector.data());
  const size_t bytes = kElements * sizeof(float) * (3 + 2 * memory.size());
  std::vector<float> target(kElements);

  double triad_seconds = 0;
  double apply_seconds = 0;
  for (auto _ : state) {
    triad_seconds += TriadSeconds(bytes, gradient, other, &target);
    const auto start = std::chrono::steady_clock::now();
    optimizer->Apply(gradient, absl::MakeSpan(parameters), pointers);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    apply_seconds += seconds;
    state.SetIterationTime(seconds);
  }
  state.SetBytesProcessed(state.iterations() * bytes);
  state.counters["triad"] = benchmark::Counter(bytes * state.iterations() / triad_seconds,
                                               benchmark::Counter::kDefaults, benchmark::Counter::kIs1024);
  state.counters["ratio"] = triad_seconds / apply_seconds;
}
BENCHMARK_CAPTURE(BM_Apply, sgd, OptimizerDescription::SGD)->UseManualTime();
BENCHMARK_CAPTURE(BM_Apply, momentum, OptimizerDescription::MOMENTUM)->UseManualTime();
BENCHMARK_CAPTURE(BM_Apply, adagrad, OptimizerDescription::ADAGRAD)->UseManualTime();
BENCHMARK_CAPTURE(BM_Apply, windowed, OptimizerDescription::WINDOWED)->UseManualTime();
BENCHMARK_CAPTURE(BM_Apply, adadelta, OptimizerDescription::ADADELTA)->UseManualTime();

void BM_FindNotFinite(benchmark::State& state) {
  const std::vector<float> gradient = RandomVector(1);
  for (auto _ : state) benchmark::DoNotOptimize(FindNotFinite(gradient));
  state.SetBytesProcessed(state.iterations() * kElements * sizeof(float));
}
BENCHMARK(BM_FindNotFinite);

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
