// Where on the data's way: the shard; a gradient chunk arrives, is checked and applied at once; a fetch reads on the go.
#ifndef DOWNPOUR_SERVER_PARAMETER_SHARD_H_
#define DOWNPOUR_SERVER_PARAMETER_SHARD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/key_range.h"
#include "common/parameter_layout.h"
#include "common/push.h"
#include "proto/checkpoint.pb.h"
#include "proto/config.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/optimizer/optimizer.h"

namespace downpour {

// Everything a checkpoint of one shard holds, copied out at one instant: no push is half in it without the ledger
// saying how far.
struct ShardSnapshot {
  ShardCheckpoint header;
  std::vector<float> parameters;                // [range.size()]
  std::vector<std::vector<float>> state;        // one per Optimizer::state_names(), each [range.size()]
};

// One half-open range of the parameter vector with its optimizer state and its ledger of applied pushes.
//
// Thread-safe. Invariants:
//  1. A chunk is applied exactly once per (replica_id, incarnation, sequence), in ascending key order.
//  2. version() counts pushes applied to the whole range; it never falls.
//  3. Two pushes interleave at most segment by segment (kSegmentElements): within one segment each is atomic.
// Lock order: ledger entry, then snapshot_mutex_ (shared), then one segment.
class ParameterShard {
 public:
  struct Options {
    RunKey run;
    uint32_t shard = 0;
    KeyRange range;
    ParameterLayout layout;      // of the whole vector; kept for the checkpoint
    OptimizerDescription optimizer;
  };
  static constexpr int64_t kSegmentElements = 256 * 1024;  // 1 MiB of float32

  // `initial` has range.size() elements. INVALID_ARGUMENT: as Optimizer::Create.
  static absl::StatusOr<std::unique_ptr<ParameterShard>> Create(Options options, absl::Span<const float> initial);
  // FAILED_PRECONDITION: the snapshot is of another run, layout, range or optimizer than `options` (message names
  // which, value seen and wanted).
  static absl::StatusOr<std::unique_ptr<ParameterShard>> Restore(Options options, const ShardSnapshot& snapshot);

  const KeyRange& range() const { return options_.range; }
  const RunKey& run() const { return options_.run; }
  uint64_t version() const;

  // FAILED_PRECONDITION: `run` is not this shard's (message says which part differs).
  absl::Status CheckRun(const RunKey& run) const;

  // Applies gradient of keys [begin, begin + gradient.size()) as part of push `header`. Chunks of one push come in
  // ascending order; keys applied before (a retry) are skipped. The outcome's version counts this push once its last
  // key is applied; staleness is fixed by its first chunk.
  //   OUT_OF_RANGE: outside range(), or beyond the next key expected of this push (the message names that key).
  //   INVALID_ARGUMENT: empty chunk, or NaN or Inf in it: the push is counted as rejected, applied no further.
  //   FAILED_PRECONDITION: a newer incarnation of the replica has pushed.
  absl::StatusOr<PushOutcome> ApplyChunk(const PushHeader& header, int64_t begin, absl::Span<const float> gradient);

  // Copies the parameters of `keys` as they are now. OUT_OF_RANGE: keys outside range().
  absl::Status Read(KeyRange keys, absl::Span<float> parameters) const;

  // Copies everything at one instant; blocks ApplyChunk for the time of the copy only.
  ShardSnapshot Snapshot() const;

  ShardStatus Status() const;

 private:
  struct LedgerEntry;
  struct Segment;

  // (the implementer's)
  Options options_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_PARAMETER_SHARD_H_
