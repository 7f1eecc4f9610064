// Where on the data's way: the coordinator; says which replica waits for which others (cluster.consistency).
#ifndef DOWNPOUR_SERVER_COORDINATOR_BARRIER_H_
#define DOWNPOUR_SERVER_COORDINATOR_BARRIER_H_

#include <optional>

#include "common/program/rounds.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/report_totals.h"

namespace downpour {

// Decides, after the warm start, whether a replica that reports goes on or waits:
//   ASYNCHRONOUS  It goes on.
//   BOUNDED       It waits while its clock is more than staleness_bound above the lowest clock in the cluster
//                 (Ho et al. 2013). A clock counts minibatches; a replica that joins begins with the lowest.
//   SYNCHRONOUS   It waits if it has pushed since the open round began. The round ends after rounds.pushes
//                 pushes by replicas that began to work in it, applied or late (Chen et al. 2016). Where
//                 fewer replicas are live than a round needs pushes, as many as are lacking go on without
//                 waiting, once more on the parameters of the same round.
// Nobody waits for ever: the replica with the lowest clock never waits; in an open round, some live replica
// does not wait, or else the next that reports is let go. A dead replica holds the others until `membership`
// has it no more.
//
// The round is the coordinator's own count of reports and may differ from the shards' rounds: for example a
// replica died between push and report, or a shard was restored. Late pushes count here so that the two meet
// again: while one of its rounds is open, each shard ends a round or more, and takes no push after that whose
// parameters were fetched before. A pure state machine; not thread-safe.
class Barrier {
 public:
  explicit Barrier(const ClusterDescription& cluster) : cluster_(cluster), rounds_(RoundsOf(cluster)) {}

  // The replica reports these minibatches and pushes more, made after the warm start.
  void Add(const ReportTotals& added, MembershipState::Replica* replica);
  // Whether the replica, one of `membership`, goes on now. It must not be asked during the warm start.
  bool GoesOn(const Membership& membership, MembershipState::Replica* replica);
  // Changes whenever a replica that waits can have become free to go on, but for the removal of another; none
  // where replicas never wait for each other.
  std::optional<uint64_t> Pace(const Membership& membership) const;

  // Sets and takes the checkpoint's fields round and round_pushes.
  void Save(CoordinatorCheckpoint* checkpoint) const;
  void Load(const CoordinatorCheckpoint& checkpoint);

 private:
  bool Waits(const MembershipState::Replica& replica) const {
    return replica.pushed() && replica.round() == round_;
  }

  const ClusterDescription cluster_;
  const Rounds rounds_;
  uint64_t round_ = 1;  // that is open
  uint64_t round_pushes_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_BARRIER_H_
