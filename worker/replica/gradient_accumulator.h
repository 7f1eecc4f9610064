// Where on the data's way: gradients of minibatches come in from the network; their sum is the next push.
#ifndef DOWNPOUR_WORKER_REPLICA_GRADIENT_ACCUMULATOR_H_
#define DOWNPOUR_WORKER_REPLICA_GRADIENT_ACCUMULATOR_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/tensor/tensor_view.h"
#include "common/wire/push_planes.h"
#include "worker/replica/gradient_compressor.h"
#include "worker/replica/gradient_pool.h"

namespace downpour {

// The gradient that one replica pushes next: the sum over the minibatches since its last push, added in their
// order. Add() each minibatch; when a push is due Compress() and then Round(); when it was pushed or is given
// up, Clear(). Holds a buffer of one of the pools from Add() until Clear(). Not thread-safe.
class GradientAccumulator {
 public:
  // Uses n_push and gradient_compression of `cluster`. The pools are not owned, outlive this, and have
  // buffers for the planes of a push (common/wire/push_planes.h), each of `elements` elements.
  // `rounded_pool` is null where pushes are in float32, as PushesInBfloat16() says.
  GradientAccumulator(const ClusterDescription& cluster, int64_t elements, GradientPool* pool,
                      RoundedGradientPool* rounded_pool);

  // Calls `compute` with a buffer of unspecified contents for one minibatch's gradient and, after it, the
  // further ones of `planes` planes; those after the first are of a push of one minibatch. If it returns true,
  // the gradient is added; if false, the minibatch is dropped whole, and the sum is as before. Returns the
  // same. The buffer is in bfloat16 where the push is this one minibatch, uncompressed and rounded, unless
  // `in_float32`: then `compute` works on the gradient in float32.
  bool Add(bool in_float32, int planes, absl::FunctionRef<bool(MutableTensorView planes)> compute);

  // Where pushes are compressed: adds to the gradient what earlier pushes left out, takes out what this push
  // leaves for later ones, and converts the sum to bfloat16.
  void Compress();
  // Converts the sum to bfloat16 if there is a rounded pool.
  void Round();
  // Forgets the sum and gives its buffer back. There is one.
  void Clear();

  int64_t elements() const { return elements_; }
  // Minibatches in the sum.
  int64_t minibatches() const { return minibatches_; }
  // All planes, one after the other. Empty where minibatches() is 0.
  TensorView sum() const {
    return rounded_.empty() ? TensorView(absl::MakeConstSpan(sum_).first(size_))
                            : TensorView(absl::MakeConstSpan(rounded_).first(size_));
  }
  // `keys` of every plane.
  PushPlanes planes(KeyRange keys) const;
  // What compressed pushes have left out so far; empty before the first of them.
  absl::Span<const float> residual() const { return compressor_.residual(); }

  // Takes minibatches(), sum(), of so many planes, and residual() from a checkpoint, in place of its own.
  // INVALID_ARGUMENT: they have another number of elements, or a type that this does not push in.
  absl::Status Load(int64_t minibatches, int planes, TensorView sum, absl::Span<const float> residual);

 private:
  // Converts the sum from this element on into rounded_, and gives its buffer back.
  void RoundFrom(size_t element);

  const int64_t elements_;
  const bool network_may_round_;  // nothing is added to a gradient, or left out of it, before it is pushed
  GradientCompressor compressor_;
  GradientPool* const pool_;
  RoundedGradientPool* const rounded_pool_;
  std::pmr::vector<float> sum_;         // empty where there is none, or it is in rounded_
  std::pmr::vector<uint16_t> rounded_;  // the sum, once it is in bfloat16
  int64_t minibatches_ = 0;
  size_t size_ = 0;  // elements of the sum, in all planes
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_GRADIENT_ACCUMULATOR_H_
