// Where on the data's way: the coordinator; gives out ids and checks that a replica's totals only grow.
#include "server/coordinator/membership.h"

#include <algorithm>
#include <cmath>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

// So that sums over replicas cannot overflow.
constexpr int64_t kMaxTotal = int64_t{1} << 50;

constexpr struct {
  const char* field;
  int64_t ReportTotals::*count;
} kCounts[] = {{"minibatches", &ReportTotals::minibatches},
               {"frames", &ReportTotals::frames},
               {"pushes_applied", &ReportTotals::pushes_applied},
               {"pushes_rejected", &ReportTotals::pushes_rejected},
               {"pushes_late", &ReportTotals::pushes_late}};

// Of a ReportRequest or a MembershipState::Replica, which name their fields alike.
template <typename Message>
ReportTotals TotalsOf(const Message& message) {
  return {message.minibatches(),     message.frames(),      message.pushes_applied(),
          message.pushes_rejected(), message.pushes_late(), message.loss_sum()};
}

}  // namespace

const Member& Membership::Join(absl::Time now) {
  last_incarnation_ =
      std::max<uint64_t>(last_incarnation_ + 1, std::max<int64_t>(0, absl::ToUnixMicros(now)));
  const int64_t clock = LowestClock();
  Member& member = members_[++last_replica_id_] = Member();
  member.state.set_clock(clock);
  member.state.set_replica_id(last_replica_id_);
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
    members_[replica.replica_id()] = {replica, now - absl::Seconds(replica.silent_s())};
}

absl::StatusOr<ReportTotals> AdvanceTotals(const ReportRequest& report, Member* member) {
  const ReportTotals before = TotalsOf(member->state), now = TotalsOf(report);
  const auto refuse = [&](const char* field, auto seen, const auto&... want) {
    return absl::InvalidArgumentError(absl::StrCat("report ", report.report(), " of replica ",
                                                   member->state.replica_id(), ": ", field, " is ", seen,
                                                   ", want ", want...));
  };
  ReportTotals added;
  for (const auto& [field, count] : kCounts) {
    const int64_t seen = now.*count, last = before.*count;
    if (seen < last || seen > kMaxTotal) {
      return refuse(field, seen, last, " (as in report ", member->state.report(), ") to ", kMaxTotal);
    }
    added.*count = seen - last;
  }
  if (!std::isfinite(now.loss_sum)) return refuse("loss_sum", now.loss_sum, "a finite sum");
  added.loss_sum = now.loss_sum - before.loss_sum;
  member->state.set_report(report.report());
  member->state.set_minibatches(now.minibatches);
  member->state.set_frames(now.frames);
  member->state.set_pushes_applied(now.pushes_applied);
  member->state.set_pushes_rejected(now.pushes_rejected);
  member->state.set_pushes_late(now.pushes_late);
  member->state.set_loss_sum(now.loss_sum);
  return added;
}

}  // namespace downpour
