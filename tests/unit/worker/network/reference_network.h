// Where on the data's way: inside the network; its equations in double precision, written as plainly as can
// be, to check the real one against.
#ifndef DOWNPOUR_TESTS_UNIT_WORKER_NETWORK_REFERENCE_NETWORK_H_
#define DOWNPOUR_TESTS_UNIT_WORKER_NETWORK_REFERENCE_NETWORK_H_

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "common/layout/parameter_layout.h"
#include "proto/config.pb.h"
#include "worker/data/minibatch.h"

namespace downpour {

class ReferenceNetwork {
 public:
  ReferenceNetwork(ParameterLayout layout, NetworkDescription::Nonlinearity nonlinearity)
      : layout_(std::move(layout)), nonlinearity_(nonlinearity) {}

  // Mean cross-entropy over the frames; adds its gradient to `gradient` if not null.
  double Loss(const std::vector<double>& parameters, const Minibatch& minibatch,
              std::vector<double>* gradient) const {
    double loss = 0;
    for (int64_t frame = 0; frame < minibatch.frames; ++frame) {
      const size_t inputs = minibatch.inputs.size() / minibatch.frames;
      const auto begin = minibatch.inputs.begin() + frame * inputs;
      loss += FrameLoss(parameters, std::vector<double>(begin, begin + inputs), minibatch.labels[frame],
                        1.0 / minibatch.frames, gradient);
    }
    return loss;
  }

 private:
  double F(double z) const {
    switch (nonlinearity_) {
      case NetworkDescription::LOGISTIC:
        return 1 / (1 + std::exp(-z));
      case NetworkDescription::TANH:
        return std::tanh(z);
      case NetworkDescription::RELU:
        return z > 0 ? z : 0;
    }
    std::abort();
  }
  double Derivative(double z) const {
    switch (nonlinearity_) {
      case NetworkDescription::LOGISTIC:
        return std::exp(-z) / std::pow(1 + std::exp(-z), 2);
      case NetworkDescription::TANH:
        return 1 / std::pow(std::cosh(z), 2);
      case NetworkDescription::RELU:
        return z > 0 ? 1 : 0;
    }
    std::abort();
  }

  double FrameLoss(const std::vector<double>& parameters, std::vector<double> input, int32_t label,
                   double weight, std::vector<double>* gradient) const {
    const auto& tensors = layout_.tensors();
    const size_t layers = tensors.size() / 2;
    std::vector<std::vector<double>> x = {std::move(input)}, z;
    for (size_t l = 0; l < layers; ++l) {
      const int64_t rows = tensors[2 * l].shape[0], columns = tensors[2 * l].shape[1];
      z.emplace_back(rows);
      x.emplace_back(rows);
      for (int64_t i = 0; i < rows; ++i) {
        z[l][i] = parameters[tensors[2 * l + 1].keys.begin + i];
        for (int64_t j = 0; j < columns; ++j) {
          z[l][i] += parameters[tensors[2 * l].keys.begin + i * columns + j] * x[l][j];
        }
        x[l + 1][i] = F(z[l][i]);
      }
    }
    double sum = 0;
    for (double score : z.back()) sum += std::exp(score);
    if (gradient != nullptr) {
      std::vector<double> delta;
      for (double score : z.back()) delta.push_back(weight * std::exp(score) / sum);
      delta[label] -= weight;
      for (size_t l = layers; l-- > 0;)
        delta = Backward(parameters, l, x[l], l > 0 ? z[l - 1] : x[l], delta, gradient);
    }
    return weight * (std::log(sum) - z.back()[label]);
  }

  // Returns d loss / d z of the layer below.
  std::vector<double> Backward(const std::vector<double>& parameters, size_t l, const std::vector<double>& x,
                               const std::vector<double>& z_below, const std::vector<double>& delta,
                               std::vector<double>* gradient) const {
    const auto& weights = layout_.tensors()[2 * l];
    const auto& bias = layout_.tensors()[2 * l + 1];
    std::vector<double> below(x.size());
    for (size_t i = 0; i < delta.size(); ++i) {
      (*gradient)[bias.keys.begin + i] += delta[i];
      for (size_t j = 0; j < x.size(); ++j) {
        const size_t key = weights.keys.begin + i * x.size() + j;
        (*gradient)[key] += delta[i] * x[j];
        below[j] += delta[i] * parameters[key] * Derivative(z_below[j]);
      }
    }
    return below;
  }

  ParameterLayout layout_;
  NetworkDescription::Nonlinearity nonlinearity_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_UNIT_WORKER_NETWORK_REFERENCE_NETWORK_H_
