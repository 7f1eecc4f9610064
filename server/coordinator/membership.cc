// Where on the data's way: beside it; which replicas are in the cluster and what each has reported so far.
#include "server/coordinator/membership.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

// Ids beyond are not taken from requests: they would leave none to give.
constexpr uint64_t kMaxWantedId = uint64_t{1} << 48;
// So that sums over replicas cannot overflow.
constexpr int64_t kMaxTotal = int64_t{1} << 50;

}  // namespace

const Member& Membership::Join(const std::string& host, std::optional<uint64_t> wanted_id, absl::Time now) {
  uint64_t id = wanted_id.value_or(0);
  if (id == 0 || id > kMaxWantedId || members_.contains(id)) id = last_replica_id_ + 1;
  last_replica_id_ = std::max(last_replica_id_, id);
  last_incarnation_ =
      std::max<uint64_t>(last_incarnation_ + 1, std::max<int64_t>(0, absl::ToUnixMicros(now)));
  Member& member = members_[id];
  member = Member();
  member.replica_id = id;
  member.incarnation = last_incarnation_;
  member.host = host;
  member.last_seen = now;
  return member;
}

absl::StatusOr<Member*> Membership::Find(uint64_t replica_id, uint64_t incarnation) {
  const auto member = members_.find(replica_id);
  if (member == members_.end()) {
    return absl::NotFoundError(absl::StrCat("replica ", replica_id, " is not in the cluster: join again"));
  }
  if (member->second.incarnation != incarnation) {
    return absl::NotFoundError(absl::StrCat("replica ", replica_id, " incarnation ", incarnation,
                                            " is not in the cluster, incarnation ",
                                            member->second.incarnation, " is: join again"));
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

MembershipState Membership::Save(absl::Time now) const {
  MembershipState state;
  state.set_last_replica_id(last_replica_id_);
  state.set_last_incarnation(last_incarnation_);
  for (const auto& [id, member] : members_) {
    auto* replica = state.add_replicas();
    replica->set_replica_id(id);
    replica->set_incarnation(member.incarnation);
    replica->set_host(member.host);
    replica->set_silent_s(absl::ToDoubleSeconds(now - member.last_seen));
    replica->set_report(member.report);
    replica->set_minibatches(member.totals.minibatches);
    replica->set_frames(member.totals.frames);
    replica->set_pushes_applied(member.totals.pushes_applied);
    replica->set_pushes_rejected(member.totals.pushes_rejected);
    replica->set_loss_sum(member.totals.loss_sum);
    if (member.dealt.has_value()) *replica->mutable_dealt() = *member.dealt;
  }
  return state;
}

void Membership::Load(const MembershipState& state, absl::Time now) {
  members_.clear();
  last_replica_id_ = state.last_replica_id();
  last_incarnation_ = state.last_incarnation();
  for (const auto& replica : state.replicas()) {
    Member& member = members_[replica.replica_id()];
    member.replica_id = replica.replica_id();
    member.incarnation = replica.incarnation();
    member.host = replica.host();
    member.last_seen = now - absl::Seconds(replica.silent_s());
    member.report = replica.report();
    member.totals = {replica.minibatches(), replica.frames(), replica.pushes_applied(),
                     replica.pushes_rejected(), replica.loss_sum()};
    if (replica.has_dealt()) member.dealt = replica.dealt();
  }
}

absl::StatusOr<ReportTotals> AdvanceTotals(const ReportRequest& report, Member* member) {
  const ReportTotals& last = member->totals;
  const struct {
    const char* field;
    int64_t seen, last;
  } totals[] = {{"minibatches", report.minibatches(), last.minibatches},
                {"frames", report.frames(), last.frames},
                {"pushes_applied", report.pushes_applied(), last.pushes_applied},
                {"pushes_rejected", report.pushes_rejected(), last.pushes_rejected}};
  for (const auto& total : totals) {
    if (total.seen < total.last || total.seen > kMaxTotal) {
      return absl::InvalidArgumentError(absl::StrCat("report ", report.report(), " of replica ",
                                                     member->replica_id, ": ", total.field, " is ",
                                                     total.seen, ", wanted between ", total.last,
                                                     " (as in report ", member->report, ") and ", kMaxTotal));
    }
  }
  if (!std::isfinite(report.loss_sum())) {
    return absl::InvalidArgumentError(absl::StrCat("report ", report.report(), " of replica ",
                                                   member->replica_id, ": loss_sum is ", report.loss_sum(),
                                                   ", wanted a finite sum"));
  }
  const ReportTotals now{report.minibatches(), report.frames(), report.pushes_applied(),
                         report.pushes_rejected(), report.loss_sum()};
  const ReportTotals added{now.minibatches - last.minibatches, now.frames - last.frames,
                           now.pushes_applied - last.pushes_applied,
                           now.pushes_rejected - last.pushes_rejected, now.loss_sum - last.loss_sum};
  member->totals = now;
  member->report = report.report();
  return added;
}

}  // namespace downpour
