// Where on the data's way: the coordinator; which replica waits for which others, by cluster.consistency.
#include <vector>

#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

constexpr auto kContinue = ReportReply::CONTINUE, kWait = ReportReply::WAIT;

class ConsistencyTest : public CoordinatorTest {
 protected:
  static RunDescription Bounded(int steps) {
    RunDescription description = SmallRun();
    description.mutable_cluster()->set_consistency(ClusterDescription::BOUNDED);
    description.mutable_cluster()->set_staleness_bound(steps);
    return description;
  }
  static RunDescription Synchronous(int replicas, int backups) {
    RunDescription description = SmallRun();
    description.mutable_cluster()->set_consistency(ClusterDescription::SYNCHRONOUS);
    description.mutable_cluster()->set_replicas(replicas);
    description.mutable_cluster()->set_backup_replicas(backups);
    return description;
  }
  std::vector<FakeReplica> JoinAndBegin(int count) {
    std::vector<FakeReplica> replicas;
    for (int i = 0; i < count; ++i) replicas.push_back(Join());
    for (FakeReplica& replica : replicas) EXPECT_EQ(Ask(replica), kContinue);
    return replicas;
  }
  // What it is told after that many pushes, each of one minibatch.
  ReportReply::Directive Ask(FakeReplica& replica, int pushes = 0) {
    return replica.Push(pushes).Report(*coordinator).value().directive();
  }
  ReportReply::Directive AskAfterLatePush(FakeReplica& replica) {
    replica.AddMinibatch().set_pushes_late(replica.report.pushes_late() + 1);
    return Ask(replica);
  }
  // All replicas but this one fall silent for too long.
  void RemoveAllBut(FakeReplica& replica) {
    clock.Advance(absl::Seconds(31));
    Ask(replica);
    coordinator->RemoveDeadReplicas();
    ASSERT_EQ(Status().live_replicas(), 1);
  }
};

TEST_F(ConsistencyTest, BoundedReplicasWaitWhileTheSlowestIsTooFarBehind) {
  Start(Bounded(2));
  std::vector<FakeReplica> replicas = JoinAndBegin(3);
  EXPECT_EQ(Ask(replicas[0], 2), kContinue);
  EXPECT_EQ(Ask(replicas[0], 1), kWait);
  EXPECT_EQ(Ask(replicas[1], 1), kContinue);
  EXPECT_EQ(Ask(replicas[0]), kWait) << "one of the others has made no step";
  EXPECT_EQ(Ask(replicas[2], 1), kContinue);
  EXPECT_EQ(Ask(replicas[0]), kContinue);
}

TEST_F(ConsistencyTest, ABoundedReplicaThatJoinsBeginsWithTheSlowest) {
  Start(Bounded(2));
  std::vector<FakeReplica> replicas = JoinAndBegin(2);
  for (FakeReplica& replica : replicas) Ask(replica, 2);
  for (FakeReplica& replica : replicas) Ask(replica, 2);
  FakeReplica late = Join();
  EXPECT_EQ(Ask(late), kContinue);
  EXPECT_EQ(Ask(replicas[0], 2), kContinue) << "the newcomer counts as at step 4, not 0";
  EXPECT_EQ(Ask(replicas[0], 1), kWait);
  EXPECT_EQ(Ask(replicas[1], 2), kContinue);
  EXPECT_EQ(Ask(late, 1), kContinue);
  EXPECT_EQ(Ask(replicas[0]), kContinue);
  EXPECT_EQ(Ask(late, 3), kContinue) << "4 steps of its own are step 8";
  EXPECT_EQ(Ask(late, 1), kWait);
}

TEST_F(ConsistencyTest, ADeadReplicaHoldsBoundedOnesNoLonger) {
  Start(Bounded(0));
  std::vector<FakeReplica> replicas = JoinAndBegin(2);
  EXPECT_EQ(Ask(replicas[0], 1), kWait);
  RemoveAllBut(replicas[0]);
  EXPECT_EQ(Ask(replicas[0]), kContinue);
}

TEST_F(ConsistencyTest, BoundedClocksCountFromTheEndOfTheWarmStart) {
  RunDescription description = Bounded(1);
  description.mutable_cluster()->set_warm_start_updates(5);
  Start(description);
  FakeReplica warm = Join(), other = Join();
  EXPECT_EQ(Ask(warm, 4), kContinue);
  EXPECT_EQ(Ask(other), kWait);
  EXPECT_EQ(coordinator->Pace(), 0);
  EXPECT_EQ(Ask(warm, 1), kContinue);
  EXPECT_EQ(coordinator->Pace(), 1);
  EXPECT_EQ(Ask(warm, 1), kContinue);
  EXPECT_EQ(Ask(other), kContinue);
  EXPECT_EQ(Ask(warm, 1), kWait);
}

TEST_F(ConsistencyTest, ASynchronousRoundEndsWithoutItsBackups) {
  Start(Synchronous(3, 1));
  std::vector<FakeReplica> replicas = JoinAndBegin(3);
  EXPECT_EQ(Ask(replicas[0], 1), kWait);
  EXPECT_EQ(Ask(replicas[0]), kWait);
  EXPECT_EQ(coordinator->Pace(), 2);
  EXPECT_EQ(Ask(replicas[1], 1), kContinue) << "the second push ends the round";
  EXPECT_EQ(coordinator->Pace(), 3);
  EXPECT_EQ(Ask(replicas[0]), kContinue);
  EXPECT_EQ(AskAfterLatePush(replicas[2]), kContinue) << "it goes on at once, and does not count";
  EXPECT_EQ(Ask(replicas[1], 1), kWait);
  EXPECT_EQ(Ask(replicas[2], 1), kContinue);
  EXPECT_EQ(Status().updates(), 4);
  EXPECT_EQ(Status().pushes_late(), 1);
}

// The shards' round ended before the coordinator's: both meet again when the coordinator's ends.
TEST_F(ConsistencyTest, ALatePushOfTheOpenRoundCounts) {
  Start(Synchronous(2, 0));
  std::vector<FakeReplica> replicas = JoinAndBegin(2);
  EXPECT_EQ(AskAfterLatePush(replicas[0]), kWait);
  EXPECT_EQ(Ask(replicas[1], 1), kContinue);
  EXPECT_EQ(Ask(replicas[0]), kContinue);
}

TEST_F(ConsistencyTest, ARejectedOrDroppedPushIsMadeUpForInTheSameRound) {
  Start(Synchronous(2, 0));
  std::vector<FakeReplica> replicas = JoinAndBegin(2);
  replicas[0].AddMinibatch().set_pushes_rejected(1);
  EXPECT_EQ(Ask(replicas[0]), kContinue);
  EXPECT_EQ(Ask(replicas[0], 1), kWait);
}

TEST_F(ConsistencyTest, WithFewerReplicasThanARoundNeedsSomePushTwice) {
  Start(Synchronous(3, 0));
  std::vector<FakeReplica> replicas = JoinAndBegin(3);
  EXPECT_EQ(Ask(replicas[0], 1), kWait);
  EXPECT_EQ(Ask(replicas[1], 1), kWait);
  LeaveRequest leave;
  leave.set_replica_id(replicas[2].report.replica_id());
  leave.set_incarnation(replicas[2].report.incarnation());
  ASSERT_TRUE(coordinator->Leave(leave).ok());
  EXPECT_EQ(Ask(replicas[1]), kContinue) << "one push is lacking";
  EXPECT_EQ(Ask(replicas[0]), kWait) << "and only one";
  EXPECT_EQ(Ask(replicas[1], 1), kContinue);
  EXPECT_EQ(Ask(replicas[0]), kContinue);
  FakeReplica late = Join();
  EXPECT_EQ(Ask(replicas[0], 1), kWait) << "the newcomer counts at once";
  EXPECT_EQ(Ask(replicas[1], 1), kWait);
  EXPECT_EQ(Ask(late), kContinue);
  EXPECT_EQ(Ask(late, 1), kContinue);
}

TEST_F(ConsistencyTest, ADeadReplicaHoldsARoundNoLonger) {
  Start(Synchronous(2, 0));
  std::vector<FakeReplica> replicas = JoinAndBegin(2);
  EXPECT_EQ(Ask(replicas[0], 1), kWait);
  RemoveAllBut(replicas[0]);
  EXPECT_EQ(Ask(replicas[0]), kContinue);
  for (int push = 0; push < 5; ++push)
    EXPECT_EQ(Ask(replicas[0], 1), kContinue) << "it makes all rounds alone";
}

TEST_F(ConsistencyTest, RoundsBeginAfterTheWarmStart) {
  RunDescription description = Synchronous(2, 0);
  description.mutable_cluster()->set_warm_start_updates(3);
  Start(description);
  FakeReplica warm = Join(), other = Join();
  EXPECT_EQ(Ask(warm, 2), kContinue);
  EXPECT_EQ(Ask(other), kWait);
  EXPECT_EQ(Ask(warm, 1), kContinue);
  EXPECT_EQ(Ask(other), kContinue);
  EXPECT_EQ(Ask(warm, 1), kWait);
  EXPECT_EQ(Ask(other, 1), kContinue);
}

TEST_F(ConsistencyTest, ARestoredCoordinatorKeepsRoundsAndClocks) {
  for (const RunDescription& description : {Bounded(0), Synchronous(2, 0)}) {
    Start(description);
    std::vector<FakeReplica> replicas = JoinAndBegin(2);
    EXPECT_EQ(Ask(replicas[0], 1), kWait);
    coordinator = Coordinator::Restore(OptionsFor(description), coordinator->Checkpoint()).value();
    EXPECT_EQ(Ask(replicas[0]), kWait);
    EXPECT_EQ(Ask(replicas[1], 1), kContinue);
    coordinator = Coordinator::Restore(OptionsFor(description), coordinator->Checkpoint()).value();
    EXPECT_EQ(Ask(replicas[0]), kContinue);
    EXPECT_EQ(Ask(replicas[1], 1), kWait);
  }
}

TEST_F(ConsistencyTest, AsynchronousReplicasNeverWait) {
  Start(SmallRun());
  std::vector<FakeReplica> replicas = JoinAndBegin(2);
  EXPECT_EQ(Ask(replicas[0], 50), kContinue);
  EXPECT_EQ(coordinator->Pace(), std::nullopt);
}

}  // namespace
}  // namespace downpour
