// Where on the data's way: measures worker/network/: one gradient of the paper's speech network, and the bare
// matrix products in it, in turn in the same run. `over_products` is the quotient of the two, which shows
// what nonlinearities, softmax, biases and conversions add.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <vector>

#include "common/layout/network_layout.h"
#include "common/random.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"
#include "tests/bench/speech_network.h"
#include "worker/network/network.h"

namespace downpour {
namespace {

Minibatch MakeMinibatch(int64_t frames) {
  Random random(1);
  Minibatch minibatch{frames, std::vector<float>(frames * kSpeechInputs), std::vector<int32_t>(frames)};
  for (float& input : minibatch.inputs) input = static_cast<float>(random.Normal());
  for (int32_t& label : minibatch.labels) label = static_cast<int32_t>(random.Below(kSpeechClasses));
  return minibatch;
}

void BM_SpeechNetworkGradient(benchmark::State& state) {
  const int64_t frames = state.range(0);
  const int threads = static_cast<int>(state.range(1));
  const auto precision = static_cast<NetworkDescription::Precision>(state.range(2));
  const NetworkDescription description = SpeechNetwork(precision);
  auto network = Network::Create({.network = description,
                                  .input_dim = kSpeechInputs,
                                  .classes = kSpeechClasses,
                                  .max_frames = frames,
                                  .threads = threads});
  if (!network.ok()) {
    state.SkipWithError(network.status().ToString().c_str());
    return;
  }
  const ParameterLayout& layout = (*network)->layout();
  std::vector<float> parameters(layout.size());
  InitializeParameters(layout, description, 1, {0, layout.size()}, absl::MakeSpan(parameters));
  std::vector<float> gradient(layout.size());
  const Minibatch minibatch = MakeMinibatch(frames);
  omp_set_num_threads(threads);
  BareProducts products(layout, parameters, frames, precision, /*bfloat16_gradient=*/false);
  const auto compute_gradient = [&] {
    ExitOnError((*network)->ComputeGradient(parameters, minibatch, absl::MakeSpan(gradient)).status());
  };
  compute_gradient();
  products.Compute();

  double network_s = 0;
  double products_s = 0;
  for (auto _ : state) {
    products_s += Seconds([&] { products.Compute(); });
    const double seconds = Seconds(compute_gradient);
    network_s += seconds;
    state.SetIterationTime(seconds);
  }
  const double iterations = static_cast<double>(state.iterations());
  state.counters["products_ms"] = 1e3 * products_s / iterations;
  state.counters["products_GFLOP/s"] = 1e-9 * products.flop() * iterations / products_s;
  state.counters["over_products"] = network_s / products_s;
}

BENCHMARK(BM_SpeechNetworkGradient)
    ->ArgNames({"frames", "threads", "precision"})
    ->ArgsProduct({{100, 256}, {1, 2}, {NetworkDescription::FLOAT32, NetworkDescription::BFLOAT16}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
