// Where on the data's way: the coordinator; which replicas are in the cluster and what each has reported
// so far.
#ifndef DOWNPOUR_SERVER_COORDINATOR_MEMBERSHIP_H_
#define DOWNPOUR_SERVER_COORDINATOR_MEMBERSHIP_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/checkpoint.pb.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// What a replica has done since it joined, as its reports say, or what one report adds to that.
struct ReportTotals {
  int64_t minibatches = 0;
  int64_t frames = 0;
  int64_t pushes_applied = 0;
  int64_t pushes_rejected = 0;
  double loss_sum = 0;  // nats
};

struct Member {
  MembershipState::Replica state;  // but for silent_s, which last_seen gives
  absl::Time last_seen;
};

// The replicas in the cluster, by ascending id. Those that are taken for dead or have left are forgotten. A
// pure state machine; not thread-safe.
class Membership {
 public:
  // Adds a replica under a new id. A coordinator that was restored from an older checkpoint may give an id
  // again; the incarnation is greater than any given before even then: it is at least the time in
  // microseconds since 1970.
  const Member& Join(absl::Time now);
  // NOT_FOUND: no such replica, or another incarnation of it. The pointer holds until the next
  // non-const call.
  absl::StatusOr<Member*> Find(uint64_t replica_id, uint64_t incarnation);
  bool Contains(uint64_t replica_id) const { return members_.contains(replica_id); }
  void Remove(uint64_t replica_id) { members_.erase(replica_id); }
  // The ids of the replicas that were last seen before `deadline`, ascending.
  std::vector<uint64_t> SilentSince(absl::Time deadline) const;

  int size() const { return static_cast<int>(members_.size()); }

  MembershipState Save(absl::Time now) const;
  void Load(const MembershipState& state, absl::Time now);

 private:
  std::map<uint64_t, Member> members_;
  uint64_t last_replica_id_ = 0;
  uint64_t last_incarnation_ = 0;
};

// Takes in the totals of a report newer than the member's last and returns what they add. INVALID_ARGUMENT,
// and nothing changes: a total is below that of the last report or above 2^50, or the loss is not finite; the
// message names the field, the value seen and the value wanted.
absl::StatusOr<ReportTotals> AdvanceTotals(const ReportRequest& report, Member* member);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_MEMBERSHIP_H_
