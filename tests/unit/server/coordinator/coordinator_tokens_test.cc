// Where on the data's way: guards the coordinator: a report and a good-bye are those of their replica.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tls/token.h"
#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

class CoordinatorTokens : public CoordinatorTest {
 protected:
  void SetUp() override {
    Coordinator::Options options = OptionsFor(SmallRun());
    options.run_secret = "secret";
    coordinator = *Coordinator::Create(options);
    EXPECT_TRUE(absl::IsUnavailable(coordinator->Join(SmallJoin("host")).status()));
    for (int shard = 0; shard < 2; ++shard) {
      const auto registered = coordinator->RegisterShard({});
      ASSERT_TRUE(registered.ok());
      EXPECT_EQ(registered->run_secret(), "secret");
    }
  }
};

TEST_F(CoordinatorTokens, AReplicaIsGivenThatOfItsIdAndIncarnation) {
  const auto joined = coordinator->Join(SmallJoin("host"));
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ(joined->token(), ReplicaToken("secret", "run-1", joined->replica_id(), joined->incarnation()));
  JoinRequest evaluator = SmallJoin("host");
  evaluator.set_evaluator(true);
  EXPECT_EQ(coordinator->Join(evaluator)->token(), "");
}

TEST_F(CoordinatorTokens, NobodyReportsOrLeavesForAnother) {
  FakeReplica one = Join(), other = Join();
  ASSERT_TRUE(one.Push(1).Report(*coordinator).ok());
  const int64_t updates = Status().updates();
  for (const std::string& token : {std::string(), other.report.token(), std::string(32, 'x')}) {
    ReportRequest stolen = one.report;
    stolen.set_report(stolen.report() + 1);
    stolen.set_token(token);
    EXPECT_TRUE(absl::IsUnauthenticated(coordinator->Report(stolen).status()));
    stolen.set_still_busy(true);
    EXPECT_TRUE(absl::IsUnauthenticated(coordinator->Report(stolen).status())) << "no sign of life either";
    LeaveRequest leave;
    leave.set_replica_id(one.report.replica_id());
    leave.set_incarnation(one.report.incarnation());
    leave.set_token(token);
    EXPECT_TRUE(absl::IsUnauthenticated(coordinator->Leave(leave).status()));
  }
  EXPECT_EQ(Status().updates(), updates);
  EXPECT_EQ(Status().live_replicas(), 2);
  ASSERT_TRUE(one.Push(1).Report(*coordinator).ok());
}

TEST_F(CoordinatorTokens, WhoIsNotInTheClusterIsToldToJoinAndNotThatItsTokenIsWrong) {
  ReportRequest stranger;
  stranger.set_replica_id(77);
  stranger.set_report(1);
  EXPECT_TRUE(absl::IsNotFound(coordinator->Report(stranger).status()));
  EXPECT_TRUE(coordinator->Leave(LeaveRequest()).ok());
}

TEST_F(CoordinatorTokens, TheSecretIsInTheCheckpointAndInNothingThatPeopleSee) {
  Join();
  EXPECT_EQ(coordinator->Checkpoint().run_secret(), "secret");
  for (const std::string& seen : {coordinator->GetOverview({})->DebugString(), Status().DebugString(),
                                  coordinator->Describe({})->DebugString()}) {
    EXPECT_EQ(seen.find("secret"), std::string::npos);
    EXPECT_EQ(seen.find("token"), std::string::npos);
  }
}

}  // namespace
}  // namespace downpour
