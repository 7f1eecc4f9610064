// Where on the data's way: one replica's loop of Dean et al. 2012: fetch, compute, accumulate, push.
#ifndef DOWNPOUR_WORKER_REPLICA_MODEL_REPLICA_H_
#define DOWNPOUR_WORKER_REPLICA_MODEL_REPLICA_H_

#include <bit>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/tensor/tensor_view.h"
#include "common/wire/push.h"
#include "worker/data/minibatch_source.h"
#include "worker/network/network.h"
#include "worker/replica/gradient_accumulator.h"
#include "worker/replica/gradient_pool.h"
#include "worker/replica/replica_noise.h"

namespace downpour {

// The state of one replica and the steps of its loop, in the order
//   if FetchDue(): fetch the parameters from every shard, then FetchDone(versions)
//   ComputeGradient(parameters, network)        accumulates into gradient()
//   while NextPushAction() says PUSH: push planes() to every shard as NextPush(s), then PushDone()
// As in Dean et al.'s appendix (7.1), step counts from 0, a fetch is due when step mod n_fetch == 0, before
// the step's gradient, and a push when step mod n_push == 0, after it: the first push carries one minibatch,
// each later one n_push. Unlike there, a replica takes no local step between fetches: with the adaptive rules
// the step belongs to the server. worker/replica/replica_loop.h moves the bytes in real time,
// deploy/in_process/virtual_cluster.h in virtual time. Not thread-safe.
class ModelReplica {
 public:
  struct Options {
    uint64_t replica_id = 0;
    uint64_t incarnation = 0;
    ClusterDescription cluster = {};  // n_push, n_fetch, gradient_compression
    int shards = 1;
    int32_t classes = 1;
    uint64_t seed = 0;  // the run's, from which noise is drawn
    NoiseDescription noise = {};
    OptimizerDescription optimizer = {};  // the planes that it wants
    std::string token = {};               // JoinReply.token
  };
  // The pools have buffers of `parameters` elements for each plane that the optimizer's rule wants
  // (common/program/update_rules.h), and outlive the replica, which holds one buffer from
  // ComputeGradient() until its gradient was pushed or dropped. With a `rounded_pool` a gradient that is due
  // to be pushed is in bfloat16, in a buffer of that pool.
  ModelReplica(const Options& options, int64_t parameters, MinibatchSource source, GradientPool* pool,
               RoundedGradientPool* rounded_pool = nullptr);

  bool FetchDue() const { return fetched_step_ != step_ && step_ % options_.cluster.n_fetch() == 0; }
  // `versions`: of the parameters, as each shard gave it with the fetch.
  void FetchDone(std::vector<uint64_t> versions);

  // Takes the next minibatch, computes its mean gradient at `parameters`, those fetched last, and adds it to
  // gradient(). NOT_FOUND: the source has no data (add a slice); no step is taken. DATA_LOSS: NaN or infinity
  // in loss or gradient; the minibatch is dropped whole, so that no shard sees a part of it, and counted in
  // pushes_rejected(). Its frames count as read, or a diverged run would never end. Others: as Network's.
  absl::Status ComputeGradient(TensorView parameters, Network& network);

  // False where every minibatch since the last push was dropped.
  bool PushDue() const {
    return gradient_.minibatches() > 0 && step_ > 0 && (step_ - 1) % options_.cluster.n_push() == 0;
  }
  // The sum over the minibatches since the last push, if any; compressed and rounded once a push is due. All
  // planes of the push, one after the other, and `keys` of each.
  TensorView gradient() const { return gradient_.sum(); }
  PushPlanes planes(KeyRange keys) const { return gradient_.planes(keys); }
  struct PushAction {
    enum Kind {
      NONE,     // no push is due
      DROPPED,  // noise has dropped the push that was due: gradient() is cleared and the sequence advanced
      PUSH,
    };
    Kind kind = NONE;
    absl::Duration delay = absl::ZeroDuration();  // how long noise holds a PUSH back
  };
  // Says what to do next: call it after ComputeGradient(), PushDone() and PushRejected(). A push that is due
  // is dropped, or else delayed, pushed, and perhaps repeated; the repeat is neither dropped nor delayed.
  PushAction NextPushAction();
  PushHeader NextPush(int shard) const;
  // Tell that every shard has acknowledged the push, with the staleness that each shard gave (their
  // rounded mean is reported), and whether all of them found it late; or that one has rejected it. Both
  // advance the sequence and clear gradient(), except where noise repeats a push: then the same gradient
  // is due once more.
  void PushDone(absl::Span<const uint64_t> staleness, bool late = false);
  void PushRejected();
  const ReplicaNoise& noise() const { return noise_; }
  int64_t pushes_rejected() const { return state_.pushes_rejected(); }
  // A diverged replica drops every minibatch: the log gets a line for the 1st, 2nd, 4th, 8th, ... of them.
  bool RejectionIsWorthALine() const { return std::has_single_bit(static_cast<uint64_t>(pushes_rejected())); }

  MinibatchSource& source() { return source_; }
  // A report of all totals so far, and of the slices finished and the staleness seen since the last call;
  // wants_slice says that the source needs one. One push in kPushesPerSketch adds a sketch of its gradient.
  static constexpr int kPushesPerSketch = 4;
  ReportRequest TakeReport();

  // What compressed pushes have left out so far; empty if there were none.
  absl::Span<const float> residual() const { return gradient_.residual(); }

  // For the virtual cluster's checkpoint. The state does not contain gradient() and residual(), which the
  // caller keeps and gives to LoadState as they were, perhaps empty. INVALID_ARGUMENT: the state does not fit
  // the data set or the sizes. DATA_LOSS: its parts contradict each other.
  ReplicaState SaveState() const;
  absl::Status LoadState(const ReplicaState& state, TensorView gradient, absl::Span<const float> residual);

 private:
  void ClearGradient();

  Options options_;
  ReplicaNoise noise_;
  MinibatchSource source_;
  Minibatch minibatch_;
  GradientAccumulator gradient_;
  std::vector<uint64_t> fetched_versions_;
  int64_t step_ = 0;           // minibatches computed or dropped
  int64_t fetched_step_ = -1;  // the step before which the last fetch was
  uint64_t sequence_ = 1;      // of the next push
  bool repeating_ = false;     // whether the next push is noise's repeat of the last
  ReportRequest state_;        // totals so far, and what the next report says
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_MODEL_REPLICA_H_
