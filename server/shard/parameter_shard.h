// Where on the data's way: the shard; gradient chunks are checked and applied as they arrive, fetches read.
#ifndef DOWNPOUR_SERVER_SHARD_PARAMETER_SHARD_H_
#define DOWNPOUR_SERVER_SHARD_PARAMETER_SHARD_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/layout/parameter_layout.h"
#include "common/wire/chunk_codec.h"
#include "server/optimizer/optimizer.h"
#include "server/shard/element_sampler.h"
#include "server/shard/parallel_for.h"
#include "server/shard/push_ledger.h"
#include "server/shard/segment.h"

namespace downpour {

// Everything that a checkpoint of one shard holds, copied at one instant: for a push that is only partly
// applied, the ledger says up to which key.
struct ShardSnapshot {
  ShardCheckpoint header;
  std::vector<float> parameters;          // [range.size()]
  std::vector<std::vector<float>> state;  // one per Optimizer::state_names(), each [range.size()]
};

// One half-open range of the parameter vector with its optimizer state and the ledger of its pushes, which
// sees to it that each key is stepped once per push, in ascending order of keys.
//
// Thread-safe. Pushes are atomic within one segment (Options::segment_elements); in different segments, two pushes may
// be applied in different order. The order of locks is that of PushLedger.
class ParameterShard {
 public:
  static constexpr int64_t kSegmentElements = kChunkElements;  // a chunk on the wire is one segment here
  struct Options {
    RunKey run;
    uint32_t shard = 0;
    KeyRange range;
    ParameterLayout layout;  // of the whole vector; kept for the checkpoint
    OptimizerDescription optimizer;
    WarmStart warm_start = {};
    Rounds rounds = {};
    PushLimits push_limits = {};
    int64_t segment_elements = kSegmentElements;  // tests take less, to have several in a small shard
  };

  // `initial` has range.size() elements. INVALID_ARGUMENT: as Optimizer::Create.
  static absl::StatusOr<std::unique_ptr<ParameterShard>> Create(Options options,
                                                                absl::Span<const float> initial);
  // FAILED_PRECONDITION: the snapshot is of another run, layout, range or optimizer than `options`, or its
  // vectors or ledger do not fit the range (the message names which, the value seen and the value wanted).
  static absl::StatusOr<std::unique_ptr<ParameterShard>> Restore(Options options,
                                                                 const ShardSnapshot& snapshot);

  const KeyRange& range() const { return options_.range; }
  const RunKey& run() const { return options_.run; }
  uint64_t version() const { return ledger_.version(); }

  // The view that this server of the shard has; 0, as in the in-process cluster: it takes requests of any.
  void set_view(uint64_t view) { first_view_ = last_view_ = view; }
  // It still has the shard in this later view, so it also takes requests that name it.
  void extend_view(uint64_t view) { last_view_ = view; }

  // Sets the factor of the schedule PLATEAU, for pushes that begin from now on; RunStatus gives it.
  void set_plateau_factor(float factor) { ledger_.set_plateau_factor(factor); }
  // As PushLedger::set_last_joined(); RegisterShardReply gives both numbers.
  void set_last_joined(uint64_t replica_id, uint64_t incarnation) {
    ledger_.set_last_joined(replica_id, incarnation);
  }

  // RegisterShardReply gives it. From now on each push must have its replica's token (common/tls/token.h);
  // empty, as in the in-process cluster: none is wanted.
  void set_run_secret(const std::string& run_secret) {
    ledger_.set_run_secret(options_.run.run_id, run_secret);
  }

  // FAILED_PRECONDITION: `run` is not this shard's (message says which part differs). UNAVAILABLE: it is, but
  // of another view, so the coordinator has another address for this shard.
  absl::Status CheckRun(const RunKey& run) const;

  // Applies `planes` of keys [begin, begin + their size) as part of push `header`; bfloat16 is widened.
  // Chunks of one push come in ascending order; keys that were applied before (the chunk is a repeat) are
  // skipped. The outcome's version counts this push once its last key is applied. Staleness is
  // fixed by the first chunk; it is 0 where the fetched version is newer than this shard's, which then has
  // been restored from a checkpoint since. The first chunk also decides whether the push is late
  // (Rounds::IsLate): then nothing of it is applied, and no chunk of it is looked at.
  //   OUT_OF_RANGE: keys not in range(), or beyond the next key wanted of this push, which the message names.
  //   INVALID_ARGUMENT: sequence 0; or the chunk is empty or a plane has NaN or Inf in it: the push is counted
  //     as rejected and applied no further, and its later chunks get the same answer.
  //   ABORTED: a newer incarnation of the replica has pushed.
  //   FAILED_PRECONDITION: the sequence is too far ahead; or the optimizer has a compensation and `fetched`,
  //     the parameters that the gradient was computed at, is not of the gradient's size; or it takes another
  //     number of planes; or they are not of one size.
  //   RESOURCE_EXHAUSTED, UNAVAILABLE, UNAUTHENTICATED, also ABORTED: as PushLedger::EntryFor().
  absl::StatusOr<PushOutcome> ApplyChunk(const PushHeader& header, int64_t begin, const PushPlanes& planes,
                                         TensorView fetched = {})
      ABSL_LOCKS_EXCLUDED(ledger_.snapshot_mutex());

  // As ApplyChunk() of `keys`, for `planes` in memory that others may be writing. They are applied by segments
  // on the threads of `parallel_for`, which call `read` at the same time to copy a plane of [begin,
  // begin + copy.size()) out of it, once for each key. Snapshot() waits until all of `keys` is applied.
  using PlaneReader = std::function<void(size_t plane, int64_t begin, absl::Span<float> copy)>;
  absl::StatusOr<PushOutcome> ApplySegments(const PushHeader& header, KeyRange keys, size_t planes,
                                            const PlaneReader& read, const ParallelFor& parallel_for)
      ABSL_LOCKS_EXCLUDED(ledger_.snapshot_mutex());

  // Ends push `header` because a message of it is no chunk. INVALID_ARGUMENT, and if the push is begun and
  // not complete, it is rejected as by ApplyChunk(). UNAUTHENTICATED: the token is not the replica's.
  absl::Status RejectPush(const PushHeader& header, absl::string_view why) {
    return ledger_.RejectIfUnderWay(header, why);
  }

  // Copies the parameters of `keys` as they are now, segment by segment; bfloat16 is rounded to nearest even.
  // OUT_OF_RANGE: keys outside range().
  absl::Status Read(KeyRange keys, MutableTensorView parameters) const;
  // As Read(), but lends the parameters instead of copying them: one piece for each segment, ascending.
  absl::StatusOr<std::vector<LentParameters>> Lend(KeyRange keys, bool bfloat16) const;

  // Copies everything at one instant. Pushes wait while it copies.
  ShardSnapshot Snapshot() const ABSL_LOCKS_EXCLUDED(ledger_.snapshot_mutex());

  ShardStatus Status() const;
  // What updates do with chosen elements, as ElementSampler::Take(). Also FAILED_PRECONDITION and UNAVAILABLE
  // as CheckRun(), FAILED_PRECONDITION if the optimizer has a compensation, OUT_OF_RANGE: a key outside
  // range().
  absl::StatusOr<SampleReply> Sample(const SampleRequest& request);

  // Those who follow the shard, and the replies that wait for them.
  ReplicationLog& log() { return log_; }
  // As Snapshot(), and the log keeps for `follower` all changes after it. Statuses: ReplicationLog::Attach().
  absl::StatusOr<ShardSnapshot> SnapshotFor(uint64_t follower) ABSL_LOCKS_EXCLUDED(ledger_.snapshot_mutex());
  // Makes a change that this shard's primary has made, whose snapshot it was restored from. `planes` are the
  // change's, one after the other. To be called for each of them in order, by one thread at a time. DATA_LOSS:
  // it does not follow from those before.
  absl::Status Follow(const ShardChange& change, TensorView planes)
      ABSL_LOCKS_EXCLUDED(ledger_.snapshot_mutex());

 private:
  ParameterShard(Options options, std::unique_ptr<Optimizer> optimizer, absl::Span<const float> initial);

  // Steps the segment, and notes the elements that are watched.
  void Step(const UpdateStep& step, int64_t begin, const PushPlanes& planes, TensorView fetched,
            Segment* segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(segment->mutex());
  UpdateStep StepOf(const ReplicaLedgerEntry& push) const;
  // Has the log keep planes that are about to step keys of one segment. With that segment's lock.
  void LogPlanes(uint64_t replica_id, int64_t begin, const PushPlanes& planes);
  absl::Status FollowPlanes(const ShardChange& change, TensorView all);
  void CopyTo(ShardSnapshot* snapshot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(ledger_.snapshot_mutex());
  ShardSnapshot EmptySnapshot() const;
  absl::Status CheckFetched(size_t gradient, size_t fetched) const;
  absl::Status CheckPlanes(size_t planes) const;
  absl::Status CheckSnapshot(const ShardSnapshot& snapshot) const;
  absl::Status CheckReadable(KeyRange keys) const;
  // Calls `each(segment, keys)`, ascending, for each segment that has some of `keys`, with those it has.
  template <typename Each>
  void ForEachSegment(KeyRange keys, Each each) const;
  // Fills a ShardStatus, or the same fields of a ShardCheckpoint.
  template <typename Message>
  void FillStatus(Message* status) const;
  Segment& SegmentOf(int64_t key) const;

  const Options options_;
  const std::unique_ptr<Optimizer> optimizer_;
  std::vector<std::unique_ptr<Segment>> segments_;
  ReplicationLog log_;
  PushLedger ledger_;
  ElementSampler sampler_;
  std::atomic<uint64_t> first_view_ = 0;  // this server has been the primary since then
  std::atomic<uint64_t> last_view_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_PARAMETER_SHARD_H_
