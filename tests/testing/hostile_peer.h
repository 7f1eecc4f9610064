// Where on the data's way: for simulations of a cluster: somebody who wants to be a replica that is another.
#ifndef DOWNPOUR_TESTS_TESTING_HOSTILE_PEER_H_
#define DOWNPOUR_TESTS_TESTING_HOSTILE_PEER_H_

#include <string>
#include <vector>

#include "common/random.h"
#include "gtest/gtest.h"
#include "server/coordinator/coordinator.h"
#include "server/shard/parameter_shard.h"
#include "tests/testing/simulated_coordinator.h"

namespace downpour {

// It knows all that is on the coordinator's disk but the run's secret, and has the tokens that other replicas
// were given before. Each of its attacks must be refused, for its reason. Not thread-safe.
class HostilePeer {
 public:
  // Neither is owned.
  HostilePeer(SimulatedCoordinator* coordinator, uint64_t seed) : coordinator_(coordinator), random_(seed) {}

  // Says to the coordinator what only others may say, and pushes to the shard as a replica that is in the
  // cluster now. `shard` may be null.
  void Attack(ParameterShard* shard) {
    if (!coordinator_->up()) return;
    AttackWithOtherRoles();
    const MembershipState members = (**coordinator_).Checkpoint().membership();
    if (members.replicas_size() == 0) return;
    const MembershipState::Replica& victim =
        members.replicas(static_cast<int>(random_.Below(members.replicas_size())));
    const std::string token = TokenOfAnother(victim);
    AttackMembership(victim, token);
    if (shard != nullptr) AttackShard(victim, token, shard);
  }
  int64_t refused() const { return refused_; }

 private:
  // Of another replica, or of another incarnation of this one; or none.
  std::string TokenOfAnother(const MembershipState::Replica& victim) {
    const std::vector<JoinReply>& joined = coordinator_->joined();
    if (joined.empty()) return "";
    const JoinReply& other = joined[random_.Below(joined.size())];
    return other.incarnation() == victim.incarnation() ? "" : other.token();
  }

  void AttackMembership(const MembershipState::Replica& victim, const std::string& token) {
    LeaveRequest leave;
    leave.set_replica_id(victim.replica_id());
    leave.set_incarnation(victim.incarnation());
    leave.set_token(token);
    Expect((**coordinator_).Leave(leave).status(), absl::StatusCode::kUnauthenticated);
    ReportRequest report;
    report.set_replica_id(victim.replica_id());
    report.set_incarnation(victim.incarnation());
    report.set_token(token);
    report.set_report(victim.report() + 1);
    Expect((**coordinator_).Report(report).status(), absl::StatusCode::kUnauthenticated);
  }

  // A shard that has not heard yet that the victim has joined says so.
  void AttackShard(const MembershipState::Replica& victim, const std::string& token, ParameterShard* shard) {
    PushHeader header{victim.replica_id(), victim.incarnation(), 1 + random_.Below(30), shard->version(),
                      token};
    const uint64_t version = shard->version();
    const std::vector<float> gradient(1, -1e6F);
    const absl::Status pushed = shard->ApplyChunk(header, shard->range().begin, gradient).status();
    Expect(pushed,
           absl::IsUnavailable(pushed) ? absl::StatusCode::kUnavailable : absl::StatusCode::kUnauthenticated);
    Expect(shard->RejectPush(header, "an attack"), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(shard->version(), version);
  }

  void AttackWithOtherRoles() {
    Party party;
    party.caller = Caller({"worker"});
    Expect(coordinator_->Call(&party, &Coordinator::RegisterShard, RegisterShardRequest()).status(),
           absl::StatusCode::kPermissionDenied);
    Expect(coordinator_->Call(&party, &Coordinator::NextEvaluation, NextEvaluationRequest()).status(),
           absl::StatusCode::kPermissionDenied);
    party.caller = Caller({"shard/0"});
    Expect(coordinator_->Call(&party, &Coordinator::Report, ReportRequest()).status(),
           absl::StatusCode::kPermissionDenied);
    party.caller = Caller({"observer"});
    Expect(coordinator_->Call(&party, &Coordinator::RecordEvaluation, EvaluationResult()).status(),
           absl::StatusCode::kPermissionDenied);
    Expect(coordinator_->Call(&party, &Coordinator::Join, JoinRequest()).status(),
           absl::StatusCode::kPermissionDenied);
    party.foreign = true;
    Expect(coordinator_->Call(&party, &Coordinator::GetOverview, OverviewRequest()).status(),
           absl::StatusCode::kUnavailable);
    party.foreign = false;
    party.expires = absl::UnixEpoch();
    Expect(coordinator_->Call(&party, &Coordinator::GetOverview, OverviewRequest()).status(),
           absl::StatusCode::kUnavailable);
  }

  void Expect(const absl::Status& status, absl::StatusCode code) {
    EXPECT_EQ(status.code(), code) << status;
    ++refused_;
  }

  SimulatedCoordinator* const coordinator_;
  Random random_;
  int64_t refused_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_HOSTILE_PEER_H_
