// Where on the data's way: the coordinator; compares a replica's clock or round with those of all others.
#include "server/coordinator/barrier.h"

#include <algorithm>

#include "absl/algorithm/container.h"

namespace downpour {

void Barrier::Add(const ReportTotals& added, MembershipState::Replica* replica) {
  replica->set_clock(replica->clock() + added.minibatches);
  const int64_t pushes = added.pushes_applied + added.pushes_late;
  if (pushes == 0 || rounds_.pushes == 0) return;
  replica->set_pushed(true);
  if (replica->round() != round_) return;  // it began to work in a round that has ended
  round_pushes_ += pushes;
  if (round_pushes_ < rounds_.pushes) return;
  ++round_;
  round_pushes_ = 0;
}

bool Barrier::GoesOn(const Membership& membership, MembershipState::Replica* replica) {
  switch (cluster_.consistency()) {
    case ClusterDescription::ASYNCHRONOUS:
      return true;
    case ClusterDescription::BOUNDED:
      return replica->clock() - membership.LowestClock() <= cluster_.staleness_bound();
    case ClusterDescription::SYNCHRONOUS: {
      const auto waits = [this](const auto& member) { return Waits(member.second.state); };
      const uint64_t working = membership.size() - absl::c_count_if(membership.members(), waits);
      if (Waits(*replica) && round_pushes_ + working >= rounds_.pushes) return false;
      replica->set_round(round_);
      replica->set_pushed(false);
      return true;
    }
  }
  return true;  // not reached: the description is valid
}

std::optional<uint64_t> Barrier::Pace(const Membership& membership) const {
  switch (cluster_.consistency()) {
    case ClusterDescription::ASYNCHRONOUS:
      return std::nullopt;
    case ClusterDescription::BOUNDED:
      return membership.LowestClock();
    case ClusterDescription::SYNCHRONOUS:
      return round_;
  }
  return std::nullopt;  // not reached: the description is valid
}

void Barrier::Save(CoordinatorCheckpoint* checkpoint) const {
  checkpoint->set_round(round_);
  checkpoint->set_round_pushes(round_pushes_);
}

void Barrier::Load(const CoordinatorCheckpoint& checkpoint) {
  round_ = std::max<uint64_t>(1, checkpoint.round());
  round_pushes_ = checkpoint.round_pushes();
}

}  // namespace downpour
