// Where on the data's way: between a shard and its standby; the changes that the standby does not have yet.
#ifndef DOWNPOUR_SERVER_SHARD_REPLICATION_LOG_H_
#define DOWNPOUR_SERVER_SHARD_REPLICATION_LOG_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/tensor/tensor_view.h"
#include "proto/replication.pb.h"

namespace downpour {

// Says which changes of a shard its standby has, and so when a push may be acknowledged.
//
// A server that has just begun to follow the shard takes over a snapshot, while the primary acknowledges
// alone. With the follower's first word, that it has the snapshot, every push waits for it. Once it also has
// all changes that were made before, it is ready: it has what was ever acknowledged. Then the primary tells
// the coordinator so, which may make it the standby in the shard's next view, and from then on the primary is
// no longer alone whatever becomes of the follower: only the coordinator can take it out of the view.
//
// Invariant: a push is acknowledged only when the follower has all of it, or when nobody but this server can
// be the primary.
//
// Thread-safe. Append() is called with a shard's locks held; the callbacks of WhenSafe() are called by
// whichever thread makes them true, and must not block.
class ReplicationLog {
 public:
  struct Change {
    ShardChange change;
    std::string gradient;  // its elements' bytes; empty: none
    TensorView elements() const;
  };
  struct Options {
    size_t window_bytes = size_t{64} * 1024 * 1024;     // of changes on their way to the follower
    absl::Duration longest_silence = absl::Seconds(5);  // of a follower that has changes to apply
    Clock* clock = Clock::Real();                       // not owned
  };
  // What the primary tells the coordinator.
  struct Following {
    uint64_t ready = 0;  // this follower has all that was acknowledged, and every push waits for it
    uint64_t lost = 0;   // this one is gone, and no push is acknowledged until it is out of the view
  };

  ReplicationLog() : ReplicationLog(Options()) {}
  explicit ReplicationLog(const Options& options) : options_(options) {}

  // --- The shard ---
  // Whether somebody follows, so that changes are kept.
  bool is_kept() const { return kept_; }
  // Keeps the change, numbered, if somebody follows. `gradient` is copied.
  void Append(ShardChange change, TensorView gradient = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits while the follower has more than `window_bytes` to fetch. To be called without any lock.
  void AwaitRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls `reply` when the follower has all changes until now: at once if nobody follows who must. With
  // UNAVAILABLE: the follower is gone, and the coordinator has not said yet who goes on. The push is applied
  // here, and its replica may repeat it.
  void WhenSafe(std::function<void(const absl::Status&)> reply) ABSL_LOCKS_EXCLUDED(mutex_);
  // As WhenSafe(), but blocks.
  absl::Status AwaitSafe() ABSL_LOCKS_EXCLUDED(mutex_);

  // --- The stream to the follower ---
  // Whom the coordinator has named to this server; 0: nobody.
  void Expect(uint64_t follower) ABSL_LOCKS_EXCLUDED(mutex_);
  // Keeps changes for the follower from now on, while its snapshot is being copied. UNAVAILABLE: it is not
  // the one that is expected, or another one follows.
  absl::Status Attach(uint64_t follower) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next change to send; null: none yet. With `wait`: after waiting for it, and null means that the
  // follower is detached.
  std::shared_ptr<const Change> Next(uint64_t follower, bool wait) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsAttached(uint64_t follower) const ABSL_LOCKS_EXCLUDED(mutex_);
  // It has taken a piece of the snapshot.
  void TookPiece(uint64_t follower) ABSL_LOCKS_EXCLUDED(mutex_);
  // The follower has the snapshot, and the changes up to this number.
  void Applied(uint64_t follower, uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  // Its stream is over.
  void Detach(uint64_t follower) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- The server's loop ---
  // Detaches a follower that has applied nothing for too long.
  void DetachIfSilent() ABSL_LOCKS_EXCLUDED(mutex_);
  // What is to be told the coordinator. From then on this server is not alone until GoAlone().
  Following TakeFollowing() ABSL_LOCKS_EXCLUDED(mutex_);
  // The coordinator has a view on disk in which this server is the shard's only one.
  void GoAlone() ABSL_LOCKS_EXCLUDED(mutex_);
  // This server is the primary no more, or stops: nothing is acknowledged from now on.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Need { kNone, kWaits, kRefused };
  Need NeedOf() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DetachLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Calls the replies that need not wait any more. Releases and takes the mutex.
  void Settle() ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  std::atomic<bool> kept_ = false;  // attached_; read without the lock, to be quick where nobody follows
  mutable absl::Mutex mutex_;
  uint64_t expected_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t follower_ ABSL_GUARDED_BY(mutex_) = 0;  // the last one; 0: none since this server is alone
  bool attached_ ABSL_GUARDED_BY(mutex_) = false;  // its stream stands
  bool needed_ ABSL_GUARDED_BY(mutex_) = false;    // pushes wait for it
  bool told_ ABSL_GUARDED_BY(mutex_) = false;      // the coordinator may have made it the standby
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;         // number of the last change
  uint64_t applied_ ABSL_GUARDED_BY(mutex_) = 0;      // by the follower
  uint64_t alone_until_ ABSL_GUARDED_BY(mutex_) = 0;  // the last change when pushes began to wait
  absl::Time last_word_ ABSL_GUARDED_BY(mutex_);      // of the follower
  std::deque<std::shared_ptr<const Change>> changes_ ABSL_GUARDED_BY(mutex_);  // that are not sent
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;                                   // of their gradients
  std::multimap<uint64_t, std::function<void(const absl::Status&)>> replies_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_REPLICATION_LOG_H_
