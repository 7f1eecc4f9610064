// Where on the data's way: the coordinator; gives out ids and keeps members by id.
#include "server/coordinator/membership.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace downpour {

const Member& Membership::Join(const std::string& host, absl::Time now, absl::Time wall_now) {
  last_incarnation_ =
      std::max<uint64_t>(last_incarnation_ + 1, std::max<int64_t>(0, absl::ToUnixMicros(wall_now)));
  const int64_t clock = LowestClock();
  Member& member = members_[++last_replica_id_] = Member();
  member.state.set_clock(clock);
  member.state.set_replica_id(last_replica_id_);
  member.state.set_host(host);
  member.state.set_incarnation(last_incarnation_);
  member.last_seen = now;
  return member;
}

absl::StatusOr<Member*> Membership::Find(uint64_t replica_id, uint64_t incarnation) {
  const auto member = members_.find(replica_id);
  if (member == members_.end()) {
    return absl::NotFoundError(absl::StrCat("replica ", replica_id, " is not in the cluster: join again"));
  }
  if (member->second.state.incarnation() != incarnation) {
    return absl::NotFoundError(absl::StrCat("replica ", replica_id, " incarnation ", incarnation,
                                            " is not in the cluster, incarnation ",
                                            member->second.state.incarnation(), " is: join again"));
  }
  return &member->second;
}

void Membership::Remove(uint64_t replica_id, const char* why, absl::Time now) {
  const auto member = members_.find(replica_id);
  if (member == members_.end()) return;
  Gone& gone = gone_.emplace_front();
  gone.replica.set_replica_id(replica_id);
  gone.replica.set_host(member->second.state.host());
  gone.replica.set_why(why);
  gone.when = now;
  if (gone_.size() > kMostGone) gone_.pop_back();
  members_.erase(member);
}

void Membership::AddTo(absl::Time now, Overview* overview) const {
  for (const auto& [id, member] : members_) {
    ReplicaOverview* replica = overview->add_replicas();
    replica->set_replica_id(id);
    replica->set_host(member.state.host());
    replica->set_silent_s(absl::ToDoubleSeconds(now - member.last_seen));
    replica->set_frames(member.state.frames());
    replica->set_pushes_applied(member.state.pushes_applied());
    replica->set_pushes_rejected(member.state.pushes_rejected());
    replica->set_pushes_late(member.state.pushes_late());
    if (member.staleness_pushes > 0)
      replica->set_staleness_mean(member.staleness_sum / static_cast<double>(member.staleness_pushes));
  }
  for (const Gone& gone : gone_) {
    *overview->add_gone() = gone.replica;
    overview->mutable_gone()->rbegin()->set_gone_s(absl::ToDoubleSeconds(now - gone.when));
  }
}

std::vector<uint64_t> Membership::SilentSince(absl::Time deadline) const {
  std::vector<uint64_t> silent;
  for (const auto& [id, member] : members_) {
    if (member.last_seen < deadline) silent.push_back(id);
  }
  return silent;
}

int64_t Membership::LowestClock() const {
  const auto lower = [](const auto& a, const auto& b) {
    return a.second.state.clock() < b.second.state.clock();
  };
  const auto lowest = absl::c_min_element(members_, lower);
  return lowest == members_.end() ? 0 : lowest->second.state.clock();
}

MembershipState Membership::Save(absl::Time now) const {
  MembershipState state;
  state.set_last_replica_id(last_replica_id_);
  state.set_last_incarnation(last_incarnation_);
  for (const auto& [id, member] : members_) {
    *state.add_replicas() = member.state;
    state.mutable_replicas()->rbegin()->set_silent_s(absl::ToDoubleSeconds(now - member.last_seen));
  }
  return state;
}

void Membership::Load(const MembershipState& state, absl::Time now) {
  members_.clear();
  last_replica_id_ = state.last_replica_id();
  last_incarnation_ = state.last_incarnation();
  for (const auto& replica : state.replicas())
    members_[replica.replica_id()] = {replica, now - absl::Seconds(replica.silent_s()), true};
}

void SkipLostIncarnations(MembershipState* state) {
  constexpr absl::Duration kLongest = absl::Hours(24 * 365);  // between the checkpoint and what it lacks
  state->set_last_incarnation(state->last_incarnation() + absl::ToInt64Microseconds(kLongest));
}

}  // namespace downpour
