// Where on the data's way: inside the shard; decides for every chunk of a push whether it is to be applied.
#ifndef DOWNPOUR_SERVER_SHARD_PUSH_LEDGER_H_
#define DOWNPOUR_SERVER_SHARD_PUSH_LEDGER_H_

#include <atomic>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/layout/key_range.h"
#include "common/program/rounds.h"
#include "common/wire/push.h"
#include "proto/checkpoint.pb.h"
#include "server/shard/replication_log.h"

namespace downpour {

// What a shard believes of pushes.
struct PushLimits {
  size_t replicas = 8192;  // that are kept in mind
  // Pushes of a replica that the shard may miss between two that it sees. A replica makes each push to all
  // shards and skips none but those that noise drops; some more may be lost while a shard is replaced.
  uint64_t skipped = 64;
};

// Says which keys of which push a shard has applied: each push exactly once, however often its chunks arrive.
//
// Invariants:
//  1. Each replica has one entry: the last push that it began, and the key up to which that is applied.
//  2. (incarnation, sequence) of an entry only grows. An older push is never applied again: its replica makes
//     one push at a time, so it was acknowledged, or its replica has given it up.
//  3. Within a push the next key only grows, without gaps, from the shard's first key to its end.
//  4. Staleness, the update's number and the schedule's plateau factor, on which the step of an update
//     depends, are fixed when the push begins: every chunk of it is stepped alike, also if other pushes come
//     between or the shard is restored from a checkpoint.
//  5. A rejected push is applied no further.
//  6. version() is the number of pushes applied to the whole range; it never falls.
//  7. Whether a push is late is fixed when it begins, too. A late push is complete at once: no key of it is
//     applied, and it does not count in version(). A push that is under way when its round ends is applied to
//     the end and counts in the next round.
//  8. There are at most limits.replicas entries. When another is needed, that of a replica that has been
//     silent for kForgetAfter, and for the longest time, is forgotten. Its pushes are never applied again: a
//     push without an entry is refused if its incarnation is not above all that were forgotten. Incarnations
//     grow from one Join to the next, so replicas that join later are not affected.
//
// Thread-safe. Whoever applies a chunk takes three mutexes in this order: that of the replica's entry, from
// Admit() to the last Advance(); snapshot_mutex(), shared, while parameters and the next key change together;
// one segment's. Who holds snapshot_mutex() exclusively sees parameters and ledger of one instant.
class PushLedger {
 public:
  // The last push of one replica.
  class Entry {
   public:
    absl::Mutex& mutex() ABSL_LOCK_RETURNED(mutex_) { return mutex_; }
    const ReplicaLedgerEntry& push() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return push_; }

   private:
    friend class PushLedger;
    absl::Mutex mutex_;
    // Changed only by who holds snapshot_mutex_ too (shared), so that CopyTo() may read it under that alone.
    ReplicaLedgerEntry push_ ABSL_GUARDED_BY(mutex_);
    bool begun_here_ ABSL_GUARDED_BY(mutex_) = false;  // push_ is not from a checkpoint
  };

  static constexpr absl::Duration kForgetAfter = absl::Hours(1);
  // Of the first push since this object was made, as the shard may have been restored from an old checkpoint.
  static constexpr uint64_t kMostSequence = uint64_t{1} << 50;

  // Of the shard with this index, which holds the keys of `range`. `clock` and `log`, which is told of pushes
  // that begin or are rejected, are not owned; `log` may be null.
  PushLedger(uint32_t shard, KeyRange range, const Rounds& rounds = {}, const PushLimits& limits = {},
             Clock* clock = Clock::Real(), ReplicationLog* log = nullptr)
      : shard_(shard), range_(range), rounds_(rounds), limits_(limits), clock_(clock), log_(log) {}

  absl::Mutex& snapshot_mutex() const ABSL_LOCK_RETURNED(snapshot_mutex_) { return snapshot_mutex_; }
  uint64_t version() const { return version_; }
  // The factor of the schedule PLATEAU for pushes that begin from now on.
  void set_plateau_factor(float factor) { plateau_factor_ = factor; }

  // The highest id and incarnation that the coordinator has given to a replica. Until the first call any are
  // taken. Lower numbers than before change nothing.
  void set_last_joined(uint64_t replica_id, uint64_t incarnation) ABSL_LOCKS_EXCLUDED(map_mutex_);

  // The run's secret, with which the tokens of pushes are checked from now on (common/tls/token.h). Until the
  // first call, and where it is empty, no token is wanted: shard and replicas are one process.
  void set_run_secret(const std::string& run_id, const std::string& run_secret)
      ABSL_LOCKS_EXCLUDED(map_mutex_);

  // The entry of the replica that sent a chunk of `size` keys from `begin` on. It is not forgotten while the
  // caller has it.
  //   INVALID_ARGUMENT: sequence 0. OUT_OF_RANGE: keys outside the shard's range.
  //   UNAVAILABLE: the coordinator is not known to have given out the id or the incarnation; it may have
  //   since. UNAUTHENTICATED: the token is not that of the id and the incarnation. RESOURCE_EXHAUSTED: as
  //   many replicas as the ledger takes have pushed within kForgetAfter.
  //   ABORTED: the replica has been silent so long that it may have been forgotten; it must join again.
  absl::StatusOr<std::shared_ptr<Entry>> EntryFor(const PushHeader& header, int64_t begin, int64_t size)
      ABSL_LOCKS_EXCLUDED(map_mutex_);

  // Begins the push of which a chunk that begins at key `begin` has arrived, or finds it begun. Returns the
  // answer to a duplicate or a late push, which is not applied; or none, and the chunk is applied from
  // push().next_key() on.
  //   OUT_OF_RANGE: `begin` is beyond the next key wanted of this push, which the message names.
  //   INVALID_ARGUMENT: the push was rejected before.
  //   ABORTED: a newer incarnation of the replica has pushed.
  //   FAILED_PRECONDITION: the sequence is more than limits.skipped + 1 above that of the last push, or above
  //     kMostSequence, which no replica reaches.
  absl::StatusOr<std::optional<PushOutcome>> Admit(const PushHeader& header, int64_t begin, Entry* entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(entry->mutex()) ABSL_LOCKS_EXCLUDED(snapshot_mutex_);
  // The push is applied up to `key`; if that is the end of the range, it is complete and counts in version().
  void Advance(int64_t key, Entry* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(entry->mutex())
      ABSL_SHARED_LOCKS_REQUIRED(snapshot_mutex_);
  // The answer to a chunk that has been applied, or that is of a late push.
  PushOutcome Outcome(const Entry& entry) const ABSL_SHARED_LOCKS_REQUIRED(entry.mutex_) {
    return {version(), entry.push_.staleness(), false, entry.push_.late()};
  }
  // Ends an admitted push: INVALID_ARGUMENT, with `why` in the message. The 1st, 2nd, 4th, ... is logged.
  absl::Status Reject(const PushHeader& header, absl::string_view why, Entry* entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(entry->mutex()) ABSL_LOCKS_EXCLUDED(snapshot_mutex_);
  // As Reject(), of a push that may not be under way; then only the status is returned. UNAUTHENTICATED: as
  // EntryFor().
  absl::Status RejectIfUnderWay(const PushHeader& header, absl::string_view why)
      ABSL_LOCKS_EXCLUDED(map_mutex_, snapshot_mutex_);

  // What a standby does with the changes of its primary. The entry of that replica, or a new one. If there are
  // as many as the ledger takes, the replica that has been silent longest is forgotten for it.
  std::shared_ptr<Entry> FollowedEntry(uint64_t replica_id, uint64_t incarnation = 0)
      ABSL_LOCKS_EXCLUDED(map_mutex_);
  // A push has begun at the primary, as this says. DATA_LOSS: it has no place in this ledger.
  absl::Status Begun(const ReplicaLedgerEntry& push) ABSL_LOCKS_EXCLUDED(map_mutex_, snapshot_mutex_);
  void Rejected(uint64_t replica_id) ABSL_LOCKS_EXCLUDED(map_mutex_, snapshot_mutex_);

  // Takes over ledger, version and counters of a checkpoint of this shard, before the first push.
  // FAILED_PRECONDITION: an entry has sequence 0 or a next key outside the range; then nothing is taken over.
  absl::Status Restore(const ShardCheckpoint& header) ABSL_LOCKS_EXCLUDED(map_mutex_);
  // The entries of all replicas that have pushed, by ascending replica_id.
  void CopyTo(ShardCheckpoint* header) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(snapshot_mutex_)
      ABSL_LOCKS_EXCLUDED(map_mutex_);
  // Fills version and counters of a ShardStatus or a ShardCheckpoint.
  template <typename Message>
  void FillCounters(Message* message) const {
    message->set_version(version_);
    message->set_pushes_duplicate(pushes_duplicate_);
    message->set_pushes_rejected(pushes_rejected_);
    message->set_pushes_partial(pushes_partial_);
  }

 private:
  struct Known {
    std::shared_ptr<Entry> entry = std::make_shared<Entry>();
    uint64_t incarnation = 0;  // the highest that has sent a chunk
    // That was shown last, and is that incarnation's; empty: none was.
    std::string token;
    uint64_t token_incarnation = 0;
    absl::Time last_chunk = absl::InfinitePast();
  };

  // UNAUTHENTICATED: the token is not that of the id and the incarnation.
  absl::Status CheckProven(const PushHeader& header) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(map_mutex_);
  absl::Status CheckPlausible(const PushHeader& header, const Entry& entry) const
      ABSL_SHARED_LOCKS_REQUIRED(entry.mutex_);
  // Forgets a replica if there are as many as the ledger takes.
  absl::Status MakeRoom(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(map_mutex_);
  void Forget(uint64_t replica_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(map_mutex_);
  // The replica that has been silent longest. There is one.
  uint64_t MostSilent() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(map_mutex_);
  bool IsUnderWay(const Entry& entry) const ABSL_SHARED_LOCKS_REQUIRED(entry.mutex_);
  // Has the log keep the change that `fill(ShardChange*)` completes.
  template <typename Fill>
  void Log(uint64_t replica_id, Fill fill) ABSL_SHARED_LOCKS_REQUIRED(snapshot_mutex_);
  void Begin(const PushHeader& header, Entry* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(entry->mutex())
      ABSL_LOCKS_EXCLUDED(snapshot_mutex_);

  const uint32_t shard_;
  const KeyRange range_;
  const Rounds rounds_;
  const PushLimits limits_;
  Clock* const clock_;
  ReplicationLog* const log_;
  mutable absl::Mutex snapshot_mutex_;
  mutable absl::Mutex map_mutex_;                                              // the last in the lock order
  absl::flat_hash_map<uint64_t, Known> replicas_ ABSL_GUARDED_BY(map_mutex_);  // by id
  uint64_t forgotten_incarnation_ ABSL_GUARDED_BY(map_mutex_) = 0;             // the highest; 0: none
  std::string run_id_ ABSL_GUARDED_BY(map_mutex_);
  std::string run_secret_ ABSL_GUARDED_BY(map_mutex_);
  bool joins_known_ ABSL_GUARDED_BY(map_mutex_) = false;
  uint64_t last_replica_id_ ABSL_GUARDED_BY(map_mutex_) = 0;
  uint64_t last_incarnation_ ABSL_GUARDED_BY(map_mutex_) = 0;
  // Changed by who holds snapshot_mutex_ (shared).
  std::atomic<uint64_t> version_ = 0;
  std::atomic<float> plateau_factor_ = 1;
  std::atomic<uint64_t> pushes_duplicate_ = 0;  // pushes repeated after they were applied
  std::atomic<uint64_t> pushes_rejected_ = 0;
  std::atomic<uint64_t> pushes_partial_ = 0;  // pushes that their replicas gave up half applied
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_PUSH_LEDGER_H_
