// Where on the data's way: the coordinator; which server has which shard, and which one had it before.
#ifndef DOWNPOUR_SERVER_COORDINATOR_SHARD_VIEWS_H_
#define DOWNPOUR_SERVER_COORDINATOR_SHARD_VIEWS_H_

#include <map>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

// The servers of a run's shards. A shard is in one view after the other: view 1 begins with its first server,
// and each server that takes the shard begins the next.
//
// Invariants:
//  1. A view only grows. Who has a lower one than the shard's is told so at its next call, and stops.
//  2. A server that starts gets a shard whose state is in its own folder at once: it holds the lock of that
//     folder, so the server before it is dead. If the state is in another folder, it is refused, or, if it is
//     to take over, waits until the server before it has been silent for kSilent: as that one is told to stop
//     at its next call, no push is acknowledged by both.
//  3. Nobody is told a view before it is on disk, so a restarted coordinator does not give it a second time.
// Servers of the in-process cluster have no folder, and no view needs to be on disk for them.
//
// A pure state machine; not thread-safe.
class ShardViews {
 public:
  // Servers call every second, and stop within another one when they are told to.
  static constexpr absl::Duration kSilent = absl::Seconds(4);

  // Of a run with `shards` shards. `checkpointed`: Written() will be called.
  ShardViews(int shards, bool checkpointed) : count_(shards), checkpointed_(checkpointed) {}

  // Returns the shard that the server has now. Statuses as ClusterCoordinator.RegisterShard's.
  absl::StatusOr<ShardAddress> Register(const RegisterShardRequest& request, absl::Time now);
  int size() const { return static_cast<int>(shards_.size()); }
  // UNAVAILABLE: not every shard has a server.
  absl::Status Complete() const;
  // Adds the addresses and views of all shards that have a server, by index.
  void AddTo(JoinReply* reply) const;

  void Save(CoordinatorCheckpoint* checkpoint) const;
  // INVALID_ARGUMENT: the run has no shard of that index.
  absl::Status Load(const CoordinatorCheckpoint& checkpoint, absl::Time now);
  // That checkpoint is on disk.
  void Written(const CoordinatorCheckpoint& checkpoint);

 private:
  struct Shard {
    ShardAddress server;
    uint64_t view_on_disk = 0;
    bool told = false;     // the server knows its view
    bool deposed = false;  // another server waits to take over
    absl::Time last_call;  // of the server, while it is not deposed
  };

  absl::StatusOr<uint32_t> IndexFor(const RegisterShardRequest& request) const;
  absl::Status Refresh(const RegisterShardRequest& request, absl::Time now, Shard* shard) const;
  absl::Status Claim(const RegisterShardRequest& request, absl::Time now, Shard* shard) const;

  int count_;
  bool checkpointed_;
  std::map<uint32_t, Shard> shards_;  // by index; those that have a server
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_SHARD_VIEWS_H_
