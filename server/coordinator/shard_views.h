// Where on the data's way: the coordinator; which servers have which shard, and which ones had it before.
#ifndef DOWNPOUR_SERVER_COORDINATOR_SHARD_VIEWS_H_
#define DOWNPOUR_SERVER_COORDINATOR_SHARD_VIEWS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

// The servers of a run's shards: a primary each, and with cluster.standbys a standby that takes its place. A
// shard is in one view after the other: view 1 begins with its first primary, and each change of its servers
// begins the next.
//
// Invariants:
//  1. A view only grows. A primary that has a lower one than the shard's, which another server has begun, is
//     told so at its next call, and stops.
//  2. A server that starts gets a shard whose state is in its own folder at once, unless a standby is to have
//     it: it holds the lock of that folder, so the primary before it is dead. If the state is in another
//     folder, it is refused, or, if it is to take over, waits until the primary before it has been silent for
//     kSilent: as that one is told to stop at its next call, no push is acknowledged by both.
//  3. Nobody is told a view before it is on disk, so a restarted coordinator does not give it a second time.
//  4. A server becomes standby only by its primary's word, in the view in which the word was said. From then
//     on the primary waits for it with every push until it is told a later view that is without it. So whoever
//     is standby in the last view has all that was acknowledged. It may therefore become primary whenever the
//     primary is silent for kSilent, dead or not.
//  5. A server's number stands for its state. One that begins anew takes another, and one that gives up its
//     state does so only if it is not the standby.
// Servers of the in-process cluster have no folder, and no view needs to be on disk for them.
//
// A pure state machine; not thread-safe.
class ShardViews {
 public:
  // Servers call every second, and stop within another one when they are told to.
  static constexpr absl::Duration kSilent = absl::Seconds(4);

  struct Registered {
    ShardAddress shard;                                           // of the primary
    RegisterShardReply::Role role = RegisterShardReply::PRIMARY;  // of the server that called
    uint64_t follower = 0;                                        // number of the server that may follow
  };

  // Of a run with `shards` shards and as many standbys each. `checkpointed`: Written() will be called.
  ShardViews(int shards, bool checkpointed, int standbys = 0)
      : count_(shards), checkpointed_(checkpointed), standbys_(standbys) {}

  // What the server has now. Statuses as ClusterCoordinator.RegisterShard's.
  absl::StatusOr<Registered> Register(const RegisterShardRequest& request, absl::Time now);
  int size() const { return static_cast<int>(shards_.size()); }
  // UNAVAILABLE: not every shard has a primary.
  absl::Status Complete() const;
  // The address of the shard's standby, if it has one that is not silent; else empty.
  std::string StandbyOf(uint32_t shard, absl::Time now) const;
  // Adds the addresses and views of all primaries, by index.
  void AddTo(JoinReply* reply) const;

  void Save(CoordinatorCheckpoint* checkpoint) const;
  // INVALID_ARGUMENT: the run has no shard of that index.
  absl::Status Load(const CoordinatorCheckpoint& checkpoint, absl::Time now);
  // That checkpoint is on disk.
  void Written(const CoordinatorCheckpoint& checkpoint);

 private:
  // A server that may follow the primary.
  struct Follower {
    std::string address;
    uint64_t folder = 0, server = 0;  // server 0: there is none
    absl::Time last_call = absl::InfinitePast();
  };
  struct Shard {
    ShardAddress server;
    uint64_t view_on_disk = 0;
    bool told = false;                          // the primary knows its view
    bool deposed = false;                       // another server waits to take over
    absl::Time claimed = absl::InfinitePast();  // when that one called last
    absl::Time last_call;                       // of the primary, while it is not deposed
    absl::Time standby_last_call = absl::InfinitePast();
    bool standby_dead = false;  // without doubt
    // Where the standby leaves: the primary may have been told that it is alone. As long as it was not, the
    // standby has all that was acknowledged.
    bool told_alone = false;
    Follower follower;
  };

  absl::StatusOr<uint32_t> IndexFor(const RegisterShardRequest& request, absl::Time now) const;
  absl::Status Refresh(const RegisterShardRequest& request, absl::Time now, Shard* shard) const;
  absl::Status Claim(const RegisterShardRequest& request, absl::Time now, Shard* shard) const;
  // The following are about standbys (shard_standbys.cc). Those that return a role mean that of the caller.
  absl::StatusOr<RegisterShardReply::Role> RoleOf(const RegisterShardRequest& request, absl::Time now,
                                                  Shard* shard) const;
  static RegisterShardReply::Role CallOfStandby(absl::Time now, Shard* shard);
  absl::StatusOr<RegisterShardReply::Role> Newcomer(const RegisterShardRequest& request, absl::Time now,
                                                    Shard* shard) const;
  // The shard's next view begins, with this primary and without a standby.
  static void BeginView(const Follower& primary, absl::Time now, Shard* shard);
  static void ClearStandby(Shard* shard);
  static absl::Status LetFollow(const RegisterShardRequest& request, absl::Time now, Shard* shard);
  static void MakePrimary(absl::Time now, Shard* shard);
  static std::string Describe(const ShardAddress& server);
  static void ChangeStandby(const RegisterShardRequest& request, Shard* shard);

  int count_;
  bool checkpointed_;
  int standbys_;
  std::map<uint32_t, Shard> shards_;  // by index; those that have a primary
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_SHARD_VIEWS_H_
