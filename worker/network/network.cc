// Where on the data's way: from a minibatch to a gradient; layers forward, losses, layers backward.
#include "worker/network/network.h"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/layout/network_layout.h"
#include "common/status_macros.h"
#include "common/wire/push_planes.h"
#include "worker/network/layer.h"
#include "worker/network/matrix_product.h"
#include "worker/network/precision.h"
#include "worker/network/softmax.h"

namespace downpour {
namespace {

class FeedForwardNetwork final : public Network {
 public:
  FeedForwardNetwork(const Options& options, NetworkDescription::Precision precision, ParameterLayout layout)
      : options_(options),
        precision_(precision),
        layout_(std::move(layout)),
        products_(precision),
        scores_(options.max_frames),
        predictions_(options.max_frames) {
    int64_t widest = 0;
    const std::vector<ParameterLayout::Tensor>& tensors = layout_.tensors();
    for (size_t i = 0; i < tensors.size(); i += 2) {
      Layer::Options layer{.inputs = tensors[i].shape[1],
                           .outputs = tensors[i].shape[0],
                           .max_frames = options.max_frames,
                           .weights = tensors[i].keys,
                           .bias = tensors[i + 1].keys};
      if (i + 2 < tensors.size()) {
        layer.nonlinearity = options.network.nonlinearity();
        widest = std::max(widest, layer.outputs);
      }
      layers_.emplace_back(layer);
    }
    for (std::vector<float>& buffer : hidden_gradients_) buffer.resize(options.max_frames * widest);
  }

  const ParameterLayout& layout() const override { return layout_; }
  std::string precision() const override {
    return absl::AsciiStrToLower(NetworkDescription::Precision_Name(precision_));
  }
  int64_t max_frames() const override { return options_.max_frames; }

  absl::StatusOr<Result> ComputeGradient(TensorView parameters, const Minibatch& minibatch,
                                         MutableTensorView planes) override {
    const int64_t size = layout_.size();
    const auto count = static_cast<int64_t>(planes.size()) / size;
    if (static_cast<int64_t>(planes.size()) != count * size || count < 1 || count > int64_t{kMostPlanes})
      return WrongSize("gradient", planes.size());
    const MutableTensorView gradient = planes[{0, size}];
    RETURN_IF_ERROR(Forward(parameters, minibatch));
    const int64_t frames = minibatch.frames;
    const float scale = options_.network.loss_scale() / static_cast<float>(frames);
    Result result = Score(minibatch, [scale](absl::Span<float> scores, int32_t label) {
      return SoftmaxCrossEntropyGradient(scores, label, scale);
    });
    absl::Span<float> output_gradient = layers_.back().outputs(frames);
    absl::Span<float> output_curvature;
    if (count > 1) output_curvature = TopCurvature(minibatch, scale);
    for (int64_t i = static_cast<int64_t>(layers_.size()) - 1; i >= 0; --i) {
      float* input_gradient = i > 0 ? hidden_gradients_[i % 2].data() : nullptr;
      if (count > 1) {
        const Layer::CurvatureInputs from{parameters, InputsOf(i, minibatch), output_gradient,
                                          options_.network.curvature() == NetworkDescription::FULL};
        float* input_curvature = i > 0 ? hidden_curvatures_[i % 2].data() : nullptr;
        ASSIGN_OR_RETURN(const bool curvature_finite,
                         layers_[i].BackwardCurvature(from, output_curvature, input_curvature, frames,
                                                      planes[{size, 2 * size}], products_));
        result.finite = result.finite && curvature_finite;
        if (i > 0) output_curvature = absl::MakeSpan(input_curvature, layers_[i - 1].outputs(frames).size());
      }
      ASSIGN_OR_RETURN(const bool finite,
                       layers_[i].Backward(output_gradient, input_gradient, frames, gradient, products_));
      result.finite = result.finite && finite;
      if (count > 2) {
        ASSIGN_OR_RETURN(
            const bool squares_finite,
            layers_[i].StoreSquares(output_gradient, frames, planes[{2 * size, 3 * size}], products_));
        result.finite = result.finite && squares_finite;
      }
      if (i > 0) output_gradient = absl::MakeSpan(input_gradient, layers_[i - 1].outputs(frames).size());
    }
    return result;
  }

  absl::StatusOr<Result> Evaluate(TensorView parameters, const Minibatch& minibatch,
                                  std::vector<int32_t>* predictions) override {
    RETURN_IF_ERROR(Forward(parameters, minibatch));
    const Result result = Score(minibatch, SoftmaxCrossEntropy);
    if (predictions != nullptr)
      predictions->assign(predictions_.begin(), predictions_.begin() + minibatch.frames);
    return result;
  }

 private:
  absl::Status WrongSize(absl::string_view what, size_t size) const {
    return absl::InvalidArgumentError(absl::StrCat(what, " has ", size, " elements, want ", layout_.size()));
  }

  absl::Status Check(TensorView parameters, const Minibatch& minibatch) const {
    if (static_cast<int64_t>(parameters.size()) != layout_.size())
      return WrongSize("parameters", parameters.size());
    if (minibatch.frames < 1 || minibatch.frames > options_.max_frames) {
      return absl::InvalidArgumentError(
          absl::StrCat("a minibatch of ", minibatch.frames, " frames, want 1 to ", options_.max_frames));
    }
    const size_t frames = minibatch.frames;
    if (minibatch.inputs.size() != frames * options_.input_dim || minibatch.labels.size() != frames) {
      return absl::InvalidArgumentError(
          absl::StrCat("a minibatch of ", frames, " frames with ", minibatch.inputs.size(), " inputs and ",
                       minibatch.labels.size(), " labels, want ", options_.input_dim, " and 1 a frame"));
    }
    for (size_t i = 0; i < frames; ++i) {
      if (minibatch.labels[i] < 0 || minibatch.labels[i] >= options_.classes) {
        return absl::InvalidArgumentError(absl::StrCat("label ", minibatch.labels[i],
                                                       " of the minibatch's frame ", i, ", want 0 to ",
                                                       options_.classes - 1));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Forward(TensorView parameters, const Minibatch& minibatch) {
    RETURN_IF_ERROR(Check(parameters, minibatch));
    omp_set_num_threads(options_.threads);
    const float* inputs = minibatch.inputs.data();
    for (Layer& layer : layers_) {
      RETURN_IF_ERROR(layer.Forward(parameters, inputs, minibatch.frames, products_));
      inputs = layer.outputs(minibatch.frames).data();
    }
    return absl::OkStatus();
  }

  const float* InputsOf(int64_t layer, const Minibatch& minibatch) {
    return layer == 0 ? minibatch.inputs.data() : layers_[layer - 1].outputs(minibatch.frames).data();
  }

  // The curvature of the scores, whose gradient has taken their place. Makes room for that of the layers.
  absl::Span<float> TopCurvature(const Minibatch& minibatch, float scale) {
    for (size_t i = 0; i < 2; ++i) hidden_curvatures_[i].resize(hidden_gradients_[i].size());
    const absl::Span<float> gradient = layers_.back().outputs(minibatch.frames);
    top_curvature_.resize(gradient.size());
    const absl::Span<float> curvature = absl::MakeSpan(top_curvature_);
#pragma omp parallel for
    for (int64_t i = 0; i < minibatch.frames; ++i) {
      SoftmaxCurvature(gradient.subspan(i * options_.classes, options_.classes), minibatch.labels[i], scale,
                       curvature.subspan(i * options_.classes, options_.classes));
    }
    return curvature;
  }

  // Calls score(scores of one frame, its label) for every frame.
  template <typename ScoreFrame>
  Result Score(const Minibatch& minibatch, ScoreFrame score) {
    const absl::Span<float> outputs = layers_.back().outputs(minibatch.frames);
#pragma omp parallel for
    for (int64_t i = 0; i < minibatch.frames; ++i)
      scores_[i] = score(outputs.subspan(i * options_.classes, options_.classes), minibatch.labels[i]);
    Result result;
    for (int64_t i = 0; i < minibatch.frames; ++i) {
      result.loss_sum += scores_[i].loss;
      result.correct += scores_[i].prediction == minibatch.labels[i];
      predictions_[i] = scores_[i].prediction;
    }
    result.finite = std::isfinite(result.loss_sum);
    return result;
  }

  Options options_;
  NetworkDescription::Precision precision_;
  ParameterLayout layout_;
  MatrixProducts products_;
  std::vector<Layer> layers_;
  std::vector<float> hidden_gradients_[2];                   // the one of layer i's inputs is [i % 2]
  std::vector<float> top_curvature_, hidden_curvatures_[2];  // likewise, once they are asked for
  std::vector<FrameScore> scores_;                           // of the last call's frames, here and below
  std::vector<int32_t> predictions_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> Network::Create(const Options& options) {
  ASSIGN_OR_RETURN(ParameterLayout layout,
                   NetworkLayout(options.network, options.input_dim, options.classes));
  if (options.max_frames < 1 || options.threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("a network for minibatches of ", options.max_frames,
                                                   " frames on ", options.threads,
                                                   " threads, want at least 1 of each"));
  }
  ASSIGN_OR_RETURN(const NetworkDescription::Precision precision,
                   ResolvePrecision(options.network.precision(), options.max_frames, CpuBfloat16Support()));
  return std::make_unique<FeedForwardNetwork>(options, precision, std::move(layout));
}

}  // namespace downpour
