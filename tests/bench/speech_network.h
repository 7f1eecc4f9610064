// Where on the data's way: for the benchmarks of worker/network/: the paper's speech network, and the matrix
// products in one gradient of it.
#ifndef DOWNPOUR_TESTS_BENCH_SPEECH_NETWORK_H_
#define DOWNPOUR_TESTS_BENCH_SPEECH_NETWORK_H_

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/layout/key_range.h"
#include "common/layout/parameter_layout.h"
#include "common/random.h"
#include "common/tensor/tensor_view.h"
#include "proto/config.pb.h"
#include "worker/data/dataset.h"
#include "worker/network/matrix_product.h"
#include "worker/replica/parameter_snapshot.h"

namespace downpour {

inline constexpr int64_t kSpeechInputs = 1040;
inline constexpr int64_t kSpeechClasses = 8000;

inline void ExitOnError(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

inline NetworkDescription SpeechNetwork(NetworkDescription::Precision precision) {
  NetworkDescription description;
  for (int layer = 0; layer < 4; ++layer) description.add_hidden_width(2560);
  description.set_precision(precision);
  return description;
}

// Data of `classes` classes with windows of 26 x 40 features, in utterances of kSpeechUtterance frames.
inline constexpr int64_t kSpeechUtterance = 100;
inline std::shared_ptr<const Dataset> SpeechData(int64_t frames, int64_t classes) {
  constexpr int32_t kEnergies = 40;
  Random random(1);
  std::vector<float> features(frames * kEnergies);
  for (float& feature : features) feature = static_cast<float>(random.Normal());
  std::vector<int32_t> labels(frames);
  for (int32_t& label : labels) label = static_cast<int32_t>(random.Below(classes));
  std::vector<Utterance> utterances;
  for (int64_t begin = 0; begin < frames; begin += kSpeechUtterance)
    utterances.push_back({"utterance", begin, std::min(kSpeechUtterance, frames - begin)});
  return std::make_shared<Dataset>(std::move(utterances), std::move(features), std::move(labels), kEnergies,
                                   15, 10, std::vector<bool>());
}

// The products of one gradient, computed as fast as in the network: one forward and two backward products
// for each layer; the first layer needs no gradient of its input. Weight gradients go to memory in bfloat16
// or float32.
class BareProducts {
 public:
  BareProducts(const ParameterLayout& layout, const std::vector<float>& parameters, int64_t frames,
               NetworkDescription::Precision precision, bool bfloat16_gradient)
      : products_(precision),
        activations_(frames * kSpeechClasses, 0.5f),
        result_(frames * kSpeechClasses),
        gradient_(layout.size(), bfloat16_gradient) {
    for (const ParameterLayout::Tensor& tensor : layout.tensors()) {
      if (tensor.shape.size() != 2) continue;
      const int64_t outputs = tensor.shape[0];
      const int64_t inputs = tensor.shape[1];
      Layer& layer = layers_.emplace_back();
      layer.forward = {.rows = frames, .columns = outputs, .inner = inputs, .transpose_b = true};
      layer.weight_gradient = {.rows = outputs, .columns = inputs, .inner = frames, .transpose_a = true};
      layer.weights_keys = tensor.keys;
      layer.input_gradient = {.rows = frames, .columns = inputs, .inner = outputs};
      ExitOnError(products_.Load(TensorView(parameters)[tensor.keys], &layer.weights));
      ExitOnError(products_.Load(TensorView(activations_)[{0, frames * inputs}], &layer.inputs));
      ExitOnError(products_.Load(TensorView(activations_)[{0, frames * outputs}], &layer.outputs));
    }
  }

  void Compute() {
    for (Layer& layer : layers_) {
      ExitOnError(products_.Compute(layer.forward, layer.inputs, layer.weights, nullptr, result_.data()));
    }
    for (size_t i = layers_.size(); i-- > 0;) {
      Layer& layer = layers_[i];
      ExitOnError(products_
                      .ComputeByRows(layer.weight_gradient, layer.outputs, layer.inputs,
                                     gradient_.memory()[layer.weights_keys])
                      .status());
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
    KeyRange weights_keys;
  };
  MatrixProducts products_;
  std::vector<float> activations_;
  std::vector<float> result_;
  ParameterSnapshot gradient_;
  std::vector<Layer> layers_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_BENCH_SPEECH_NETWORK_H_
