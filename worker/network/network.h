// Where on the data's way: from a minibatch and parameters to a gradient, or to loss and accuracy.
#ifndef DOWNPOUR_WORKER_NETWORK_NETWORK_H_
#define DOWNPOUR_WORKER_NETWORK_NETWORK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/layout/parameter_layout.h"
#include "common/tensor/tensor_view.h"
#include "proto/config.pb.h"
#include "worker/data/minibatch.h"

namespace downpour {

// Fully connected layers and a softmax over classes, trained on cross-entropy. The parameters are the
// caller's. A Network owns only its workspace (activations of up to max_frames frames), so a computing thread
// needs one, whatever the number of replicas. Not thread-safe. Each call uses `threads` threads, the caller's
// included; on one machine the same input and number of threads give the same bits.
class Network {
 public:
  struct Options {
    NetworkDescription network;
    int64_t input_dim = 0;
    int64_t classes = 0;
    int64_t max_frames = 0;  // of one minibatch
    int threads = 1;
  };

  // The precision AUTO is resolved as worker/network/precision.h says. INVALID_ARGUMENT: as NetworkLayout(),
  // or max_frames or threads below 1. UNIMPLEMENTED: BFLOAT16 on a CPU without it.
  static absl::StatusOr<std::unique_ptr<Network>> Create(const Options& options);
  virtual ~Network() = default;
  virtual const ParameterLayout& layout() const = 0;
  // "float32" or "bfloat16": what the matrix products use.
  virtual std::string precision() const = 0;
  virtual int64_t max_frames() const = 0;

  struct Result {
    double loss_sum = 0;  // cross-entropy in nats, summed over the frames
    bool finite = true;   // the loss and, after ComputeGradient(), the planes
    int64_t correct = 0;  // frames whose most probable class is the label; ties go to the lowest class
  };

  // `parameters` has layout().size() elements, `planes` as many or two or three times as many: the gradient,
  // then the curvature, then the squares (common/wire/push_planes.h), rounded to nearest even in bfloat16.
  //   gradient   d loss / d parameters; the loss is loss_scale * loss_sum / frames, with the description's
  //              loss_scale
  //   curvature  the diagonal of d^2 loss / d parameters^2 by the recursion of Becker and LeCun 1988, in the
  //              form that the description's `curvature` names
  //   squares    the mean over the frames of (d loss of the frame / d parameters)^2
  // If loss or planes are not finite, the result says so, without an error. INVALID_ARGUMENT: a label outside
  // [0, classes), no frame, more than max_frames, or input or planes of the wrong size. INTERNAL: oneDNN
  // failed.
  virtual absl::StatusOr<Result> ComputeGradient(TensorView parameters, const Minibatch& minibatch,
                                                 MutableTensorView planes) = 0;
  // Forward only. `predictions`, if not null, receives the most probable class of each frame.
  virtual absl::StatusOr<Result> Evaluate(TensorView parameters, const Minibatch& minibatch,
                                          std::vector<int32_t>* predictions) = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_NETWORK_H_
