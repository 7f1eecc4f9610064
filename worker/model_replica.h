// Where on the data's way: one replica's loop of Dean et al. 2012: fetch, compute the gradient, accumulate, push.
#ifndef DOWNPOUR_WORKER_MODEL_REPLICA_H_
#define DOWNPOUR_WORKER_MODEL_REPLICA_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/push.h"
#include "worker/data/minibatch_source.h"
#include "worker/network/network.h"

namespace downpour {

// The state of one replica and the steps of its loop, in the order
//   if FetchDue(): fill parameters() from every shard, then FetchDone(versions)
//   ComputeGradient(network)                    accumulates into gradient()
//   if PushDue(): push gradient() to every shard as NextPush(s), then PushDone()
// Who drives the steps decides when and how the bytes move: worker/replica_loop.h in real time, deploy/virtual_cluster.h
// in virtual time. Unlike Dean et al.'s appendix a replica takes no local step between fetches: with the adaptive
// rules the step belongs to the server. Not thread-safe.
class ModelReplica {
 public:
  struct Options {
    uint64_t replica_id = 0;
    uint64_t incarnation = 0;
    int n_push = 1;
    int n_fetch = 1;
    int shards = 1;
  };
  ModelReplica(const Options& options, int64_t parameters, MinibatchSource source);

  bool FetchDue() const;
  absl::Span<float> parameters();
  void FetchDone(std::vector<uint64_t> versions);   // one per shard

  // Takes the next minibatch and adds its gradient. NOT_FOUND: no data in the source (add a slice). DATA_LOSS: the
  // minibatch's gradient has a NaN or Inf: it is dropped whole, counted in pushes_rejected() and not accumulated, so
  // that no shard sees part of it.
  absl::Status ComputeGradient(Network& network);

  bool PushDue() const;
  absl::Span<const float> gradient() const;
  PushHeader NextPush(int shard) const;
  void PushDone(uint64_t staleness);                // clears gradient(), advances the sequence
  void PushRejected();                              // likewise, and counts it

  MinibatchSource& source() { return source_; }
  // A report of all totals so far, of finished slices and of staleness since the last call; `wants_slice` is set when
  // the source needs one.
  ReportRequest TakeReport();

 private:
  // (the implementer's)
  Options options_;
  MinibatchSource source_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_MODEL_REPLICA_H_
