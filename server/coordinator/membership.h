// Where on the data's way: the coordinator; which replicas are in the cluster and what each has reported.
#ifndef DOWNPOUR_SERVER_COORDINATOR_MEMBERSHIP_H_
#define DOWNPOUR_SERVER_COORDINATOR_MEMBERSHIP_H_

#include <deque>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

struct Member {
  MembershipState::Replica state;  // but for silent_s, which last_seen gives
  absl::Time last_seen;
  bool restored = false;  // from a checkpoint, and has sent no new report since
  // Of the pushes that it has reported since it joined or was restored.
  double staleness_sum = 0;
  int64_t staleness_pushes = 0;
};

// The replicas that are in the cluster now, by ascending id, and the last kMostGone that no longer are. A
// pure state machine; not thread-safe.
class Membership {
 public:
  // Adds a replica under a new id, with LowestClock() as its clock. After a restore from an older
  // checkpoint an id may be given again; the incarnation still grows: it is at least the time in
  // microseconds since 1970 by `wall_now`, the time of day.
  const Member& Join(const std::string& host, absl::Time now, absl::Time wall_now);
  // NOT_FOUND: no such replica, or another incarnation of it. The pointer holds until the replica is removed.
  absl::StatusOr<Member*> Find(uint64_t replica_id, uint64_t incarnation);
  bool Contains(uint64_t replica_id) const { return members_.contains(replica_id); }
  // `why`, for people: "left", "taken for dead", ... Does nothing if there is no such replica.
  void Remove(uint64_t replica_id, const char* why, absl::Time now);
  // The ids of the replicas that were last seen before `deadline`, ascending.
  std::vector<uint64_t> SilentSince(absl::Time deadline) const;

  // Members with a lower id.
  int64_t CountBefore(uint64_t replica_id) const {
    return std::distance(members_.begin(), members_.lower_bound(replica_id));
  }
  uint64_t last_replica_id() const { return last_replica_id_; }
  uint64_t last_incarnation() const { return last_incarnation_; }
  int size() const { return static_cast<int>(members_.size()); }
  const std::map<uint64_t, Member>& members() const { return members_; }  // by id
  // Of the members' clocks; 0 if there is no member.
  int64_t LowestClock() const;
  // Adds the overview's `replicas` and `gone`.
  void AddTo(absl::Time now, Overview* overview) const;

  // Without those that are gone, who are for people only.
  MembershipState Save(absl::Time now) const;
  void Load(const MembershipState& state, absl::Time now);

 private:
  static constexpr size_t kMostGone = 20;
  struct Gone {
    GoneReplica replica;  // but for gone_s
    absl::Time when;
  };

  std::map<uint64_t, Member> members_;
  std::deque<Gone> gone_;  // the latest first
  uint64_t last_replica_id_ = 0;
  uint64_t last_incarnation_ = 0;
};

// For a checkpoint that may be older than the last incarnation that was given out, while somebody has set the
// time of day back: sees to it that none is given out again.
void SkipLostIncarnations(MembershipState* state);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_MEMBERSHIP_H_
