// Where on the data's way: the shard; gradient chunks are checked and applied as they arrive, fetches read.
#ifndef DOWNPOUR_SERVER_SHARD_PARAMETER_SHARD_H_
#define DOWNPOUR_SERVER_SHARD_PARAMETER_SHARD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/layout/key_range.h"
#include "common/layout/parameter_layout.h"
#include "common/tensor/tensor_view.h"
#include "common/wire/chunk_codec.h"
#include "common/wire/push.h"
#include "proto/checkpoint.pb.h"
#include "proto/config.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/optimizer/optimizer.h"
#include "server/shard/parallel_for.h"
#include "server/shard/segment.h"

namespace downpour {

// Everything a checkpoint of one shard holds, copied out at one instant: no push is half in it without the
// ledger saying how far.
struct ShardSnapshot {
  ShardCheckpoint header;
  std::vector<float> parameters;          // [range.size()]
  std::vector<std::vector<float>> state;  // one per Optimizer::state_names(), each [range.size()]
};

// One half-open range of the parameter vector with its optimizer state and its ledger of applied pushes.
//
// Thread-safe. Invariants:
//  1. A key is stepped once per (replica_id, incarnation, sequence), and in ascending order of keys.
//  2. version() counts pushes applied to the whole range; it never falls.
//  3. Two pushes interleave at most segment by segment (kSegmentElements): within one segment each is atomic.
// Lock order: ledger entry, then snapshot_mutex_ (shared), then one segment. ledger_mutex_ comes last.
class ParameterShard {
 public:
  struct Options {
    RunKey run;
    uint32_t shard = 0;
    KeyRange range;
    ParameterLayout layout;  // of the whole vector; kept for the checkpoint
    OptimizerDescription optimizer;
  };
  static constexpr int64_t kSegmentElements = kChunkElements;  // a chunk on the wire is one segment here

  // `initial` has range.size() elements. INVALID_ARGUMENT: as Optimizer::Create.
  static absl::StatusOr<std::unique_ptr<ParameterShard>> Create(Options options,
                                                                absl::Span<const float> initial);
  // FAILED_PRECONDITION: the snapshot is of another run, layout, range or optimizer than `options`, or its
  // vectors or ledger do not fit the range (the message names which, the value seen and the value wanted).
  static absl::StatusOr<std::unique_ptr<ParameterShard>> Restore(Options options,
                                                                 const ShardSnapshot& snapshot);
  ~ParameterShard();

  const KeyRange& range() const { return options_.range; }
  const RunKey& run() const { return options_.run; }
  uint64_t version() const { return version_; }

  // FAILED_PRECONDITION: `run` is not this shard's (message says which part differs).
  absl::Status CheckRun(const RunKey& run) const;

  // Applies gradient of keys [begin, begin + gradient.size()) as part of push `header`; bfloat16 are widened. Chunks of
  // one push come in ascending order; keys applied before (a retry) are skipped. The outcome's version counts this
  // push once its last key is applied. Staleness is fixed by its first chunk; it is 0 where the fetched
  // version is ahead of this shard's, which then was restored from a checkpoint since.
  //
  // A replica makes one push at a time. So a sequence below the last one begun is a late copy of a push that
  // was acknowledged, or that its replica has given up: it is answered as a duplicate and never applied.
  //   OUT_OF_RANGE: outside range(), or beyond the next key wanted of this push (which the message names).
  //   INVALID_ARGUMENT: sequence 0; or an empty chunk, or NaN or Inf in it: the push is counted as rejected,
  //     applied no further, and any more of it is answered alike.
  //   FAILED_PRECONDITION: a newer incarnation of the replica has pushed.
  absl::StatusOr<PushOutcome> ApplyChunk(const PushHeader& header, int64_t begin, TensorView gradient)
      ABSL_LOCKS_EXCLUDED(ledger_mutex_, snapshot_mutex_);

  // As ApplyChunk of the gradient of `keys`, in a segment after the other, on the threads of `parallel_for` and
  // from memory that others may be writing: `read` copies the gradient of [begin, begin + size) out of it, once,
  // and is called from several threads. Snapshot() waits until all of `keys` is applied.
  using GradientReader = std::function<void(int64_t begin, absl::Span<float> gradient)>;
  absl::StatusOr<PushOutcome> ApplySegments(const PushHeader& header, KeyRange keys,
                                            const GradientReader& read, const ParallelFor& parallel_for)
      ABSL_LOCKS_EXCLUDED(ledger_mutex_, snapshot_mutex_);

  // Ends push `header` because of what cannot be a chunk of it: INVALID_ARGUMENT, and if the push is begun
  // and not complete it is rejected as ApplyChunk does.
  absl::Status RejectPush(const PushHeader& header, absl::string_view why)
      ABSL_LOCKS_EXCLUDED(ledger_mutex_, snapshot_mutex_);

  // Copies the parameters of `keys` as they are now, segment by segment; bfloat16 are rounded to nearest even.
  // OUT_OF_RANGE: keys outside range().
  absl::Status Read(KeyRange keys, MutableTensorView parameters) const;
  // As Read, but not copied: in as many pieces, in order, as `keys` has segments.
  absl::StatusOr<std::vector<LentParameters>> Lend(KeyRange keys, bool bfloat16) const;

  // Copies everything at one instant; blocks ApplyChunk for the time of the copy only.
  ShardSnapshot Snapshot() const ABSL_LOCKS_EXCLUDED(ledger_mutex_, snapshot_mutex_);

  ShardStatus Status() const;

 private:
  // How far one replica's pushes are applied.
  struct LedgerEntry {
    absl::Mutex mutex;
    // Written with snapshot_mutex_ held besides (shared), so that Snapshot() may read it under that alone.
    ReplicaLedgerEntry push ABSL_GUARDED_BY(mutex);
  };
  ParameterShard(Options options, std::unique_ptr<Optimizer> optimizer, absl::Span<const float> initial);

  absl::Status CheckSnapshot(const ShardSnapshot& snapshot) const;
  LedgerEntry& EntryOf(uint64_t replica_id) ABSL_LOCKS_EXCLUDED(ledger_mutex_);
  absl::Status CheckKeys(const PushHeader& header, int64_t begin, int64_t size) const;
  absl::Status CheckKeys(KeyRange keys) const;  // to read
  // `each(segment, keys)` with each segment that has some of `keys`, and which, in order.
  template <typename Each>
  void ForEachSegment(KeyRange keys, Each each) const;
  // Begins the push, or finds it begun; what there is to answer where nothing of it is to be applied.
  absl::StatusOr<std::optional<PushOutcome>> Admit(const PushHeader& header, int64_t begin,
                                                   ReplicaLedgerEntry* push);
  void Begin(const PushHeader& header, ReplicaLedgerEntry* push);
  absl::Status Reject(const PushHeader& header, absl::string_view why, ReplicaLedgerEntry* push);
  // Applies the part of the chunk from push->next_key() on, one segment after the other.
  void Apply(int64_t begin, TensorView gradient, ReplicaLedgerEntry* push);
  // Both messages have the fields of a status.
  template <typename Message>
  void FillStatus(Message* status) const;
  void CopyLedger(ShardCheckpoint* header) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(snapshot_mutex_);
  Segment& SegmentOf(int64_t key) const;

  const Options options_;
  const std::unique_ptr<Optimizer> optimizer_;
  std::vector<std::unique_ptr<Segment>> segments_;

  // Shared by whoever changes parameters, state, ledger or counters; exclusive for Snapshot().
  mutable absl::Mutex snapshot_mutex_;
  mutable absl::Mutex ledger_mutex_;
  // Grows by one for each replica that ever pushed; the coordinator gives out their ids.
  absl::flat_hash_map<uint64_t, std::unique_ptr<LedgerEntry>> ledger_ ABSL_GUARDED_BY(ledger_mutex_);
  std::atomic<uint64_t> version_ = 0;
  std::atomic<uint64_t> pushes_duplicate_ = 0;
  std::atomic<uint64_t> pushes_rejected_ = 0;
  std::atomic<uint64_t> pushes_partial_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_PARAMETER_SHARD_H_
