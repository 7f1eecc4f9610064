// Where on the data's way: inside the network; its cost, one gradient of the paper's speech network against
// the bare matrix products in it, measured in turn in the same run. `over_products` is the quotient of the
// two: what nonlinearities, softmax, biases and conversions add.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/status/status.h"
#include "common/network_layout.h"
#include "common/random.h"
#include "tests/bench/run_benchmarks.h"
#include "worker/network/matrix_product.h"
#include "worker/network/network.h"

namespace downpour {
namespace {

constexpr int64_t kInputs = 1040;
constexpr int64_t kClasses = 8000;

void ExitOnError(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

NetworkDescription SpeechNetwork(NetworkDescription::Precision precision) {
  NetworkDescription description;
  for (int layer = 0; layer < 4; ++layer) description.add_hidden_width(2560);
  description.set_precision(precision);
  return description;
}

Minibatch MakeMinibatch(int64_t frames) {
  Random random(1);
  Minibatch minibatch{frames, std::vector<float>(frames * kInputs), std::vector<int32_t>(frames)};
  for (float& input : minibatch.inputs) input = static_cast<float>(random.Normal());
  for (int32_t& label : minibatch.labels) label = static_cast<int32_t>(random.Below(kClasses));
  return minibatch;
}

// The products of one gradient: one forward and two backward for each layer; the first needs no gradient of
// its input.
class BareProducts {
 public:
  BareProducts(const ParameterLayout& layout, const std::vector<float>& parameters, int64_t frames,
               NetworkDescription::Precision precision)
      : products_(precision), activations_(frames * kClasses, 0.5f), result_(layout.size()) {
    for (const ParameterLayout::Tensor& tensor : layout.tensors()) {
      if (tensor.shape.size() != 2) continue;
      const int64_t outputs = tensor.shape[0];
      const int64_t inputs = tensor.shape[1];
      Layer& layer = layers_.emplace_back();
      layer.forward = {.rows = frames, .columns = outputs, .inner = inputs, .transpose_b = true};
      layer.weight_gradient = {.rows = outputs, .columns = inputs, .inner = frames, .transpose_a = true};
      layer.input_gradient = {.rows = frames, .columns = inputs, .inner = outputs};
      ExitOnError(products_.Load(&parameters[tensor.keys.begin], tensor.keys.size(), &layer.weights));
      ExitOnError(products_.Load(activations_.data(), frames * inputs, &layer.inputs));
      ExitOnError(products_.Load(activations_.data(), frames * outputs, &layer.outputs));
    }
  }

  void Compute() {
    for (Layer& layer : layers_) {
      ExitOnError(products_.Compute(layer.forward, layer.inputs, layer.weights, nullptr, result_.data()));
    }
    for (size_t i = layers_.size(); i-- > 0;) {
      Layer& layer = layers_[i];
      ExitOnError(
          products_.Compute(layer.weight_gradient, layer.outputs, layer.inputs, nullptr, result_.data()));
      if (i == 0) break;
      ExitOnError(
          products_.Compute(layer.input_gradient, layer.outputs, layer.weights, nullptr, result_.data()));
    }
  }

  double flop() const {
    double sum = 0;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const MatrixProduct& product = layers_[i].forward;
      sum += (i == 0 ? 4.0 : 6.0) * static_cast<double>(product.rows * product.columns * product.inner);
    }
    return sum;
  }

 private:
  struct Layer {
    MatrixProduct forward, weight_gradient, input_gradient;
    Operand weights, inputs, outputs;
  };
  MatrixProducts products_;
  std::vector<float> activations_;
  std::vector<float> result_;
  std::vector<Layer> layers_;
};

double Seconds(const auto& function) {
  const auto start = std::chrono::steady_clock::now();
  function();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void BM_SpeechNetworkGradient(benchmark::State& state) {
  const int64_t frames = state.range(0);
  const int threads = static_cast<int>(state.range(1));
  const auto precision = static_cast<NetworkDescription::Precision>(state.range(2));
  const NetworkDescription description = SpeechNetwork(precision);
  auto network = Network::Create({.network = description,
                                  .input_dim = kInputs,
                                  .classes = kClasses,
                                  .max_frames = frames,
                                  .threads = threads});
  if (!network.ok()) {
    state.SkipWithError(network.status().ToString().c_str());
    return;
  }
  const ParameterLayout& layout = (*network)->layout();
  std::vector<float> parameters(layout.size());
  InitializeParameters(layout, description.nonlinearity(), 1, {0, layout.size()}, absl::MakeSpan(parameters));
  std::vector<float> gradient(layout.size());
  const Minibatch minibatch = MakeMinibatch(frames);
  omp_set_num_threads(threads);
  BareProducts products(layout, parameters, frames, precision);
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
