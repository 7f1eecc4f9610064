// Where on the data's way: the coordinator; what reports add, who gets which slice, who waits, who is dead,
// when to stop.
#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "common/random.h"
#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

TEST_F(CoordinatorTest, TotalsAreThoseOfAllReplicas) {
  Start(SmallRun());
  FakeReplica a = Join(), b = Join();
  a.Push(3).Report(*coordinator).IgnoreError();
  b.Push(4).report.set_pushes_rejected(2);
  b.Report(*coordinator).IgnoreError();
  a.Push(1).Report(*coordinator).IgnoreError();
  EXPECT_EQ(Status().updates(), 8);
  EXPECT_EQ(Status().frames(), 80);
  EXPECT_EQ(Status().pushes_rejected(), 2);
  EXPECT_DOUBLE_EQ(Status().epoch(), 0.08);
  EXPECT_DOUBLE_EQ(Status().fraction_done(), 0.1);
  EXPECT_DOUBLE_EQ(Status().train_loss(), 2.0);
}

TEST_F(CoordinatorTest, RepeatedAndLateReportsChangeNothing) {
  Start(SmallRun());
  FakeReplica replica = Join();
  const DataSlice first = replica.Push(1, 5).Report(*coordinator, true).value().slice();
  const ReportRequest late = replica.sent;
  *replica.report.add_finished() = first;
  const DataSlice second = replica.Push(1, 6).Report(*coordinator, true).value().slice();
  ASSERT_EQ(second.index(), 1);
  const std::string before = coordinator->Checkpoint().SerializeAsString();

  const ReportReply repeated = coordinator->Report(replica.sent).value();
  EXPECT_EQ(repeated.slice().index(), 1);
  EXPECT_EQ(repeated.directive(), ReportReply::CONTINUE);
  EXPECT_FALSE(coordinator->Report(late).value().has_slice());
  EXPECT_EQ(coordinator->Checkpoint().SerializeAsString(), before);
  EXPECT_EQ(Status().updates(), 2);
}

TEST_F(CoordinatorTest, ContradictoryReportsAreRefusedAndChangeNothing) {
  Start(SmallRun());
  FakeReplica replica = Join();
  EXPECT_THAT(coordinator->Report(replica.report),
              FailsWith(absl::StatusCode::kInvalidArgument, "report is 0"));
  replica.Push(3).Report(*coordinator).IgnoreError();
  const std::string before = coordinator->Checkpoint().SerializeAsString();
  replica.report.set_pushes_applied(2);
  EXPECT_THAT(replica.Report(*coordinator),
              FailsWith(absl::StatusCode::kInvalidArgument, "pushes_applied is 2, want 3"));
  replica.report.set_pushes_applied(3);
  replica.report.set_frames(int64_t{1} << 60);
  EXPECT_THAT(replica.Report(*coordinator), FailsWith(absl::StatusCode::kInvalidArgument, "frames is"));
  replica.report.set_frames(30);
  replica.report.set_loss_sum(std::numeric_limits<double>::infinity());
  EXPECT_THAT(replica.Report(*coordinator),
              FailsWith(absl::StatusCode::kInvalidArgument, "adds inf to loss_sum"));
  EXPECT_EQ(coordinator->Checkpoint().SerializeAsString(), before);
}

TEST_F(CoordinatorTest, SketchesOfAnotherSizeOrNotFiniteAreRefused) {
  Start(SmallRun());
  FakeReplica replica = Join();
  replica.report.add_gradient_sketch(1);
  EXPECT_THAT(
      replica.Push(1).Report(*coordinator),
      FailsWith(absl::StatusCode::kInvalidArgument, "gradient_sketch has 1 elements, want none or 256"));
  replica.report.mutable_gradient_sketch()->Resize(256, 0);
  replica.report.set_gradient_sketch(9, std::numeric_limits<float>::infinity());
  EXPECT_THAT(replica.Report(*coordinator),
              FailsWith(absl::StatusCode::kInvalidArgument, "gradient_sketch[9] is inf"));
  replica.report.set_gradient_sketch(9, 0);
  EXPECT_TRUE(replica.Report(*coordinator).ok());
}

TEST_F(CoordinatorTest, UnknownReplicasAreToldToJoinAgain) {
  Start(SmallRun());
  FakeReplica replica = Join();
  ReportRequest report = replica.report;
  report.set_report(1);
  report.set_replica_id(99);
  EXPECT_THAT(coordinator->Report(report), FailsWith(absl::StatusCode::kNotFound, "replica 99"));
  report = replica.report;
  report.set_report(1);
  report.set_incarnation(report.incarnation() + 1);
  EXPECT_THAT(coordinator->Report(report), FailsWith(absl::StatusCode::kNotFound, "join again"));
}

TEST_F(CoordinatorTest, ABusyReplicaLivesOnBySignsOfLifeThatChangeNothingElse) {
  RunDescription description = SmallRun();
  description.mutable_cluster()->set_consistency(ClusterDescription::SYNCHRONOUS);
  description.mutable_cluster()->set_replicas(2);
  Start(description);
  FakeReplica busy = Join(), other = Join();
  busy.Report(*coordinator, true).IgnoreError();
  const std::string before = coordinator->Checkpoint().ShortDebugString();
  ReportRequest sign;
  sign.set_replica_id(busy.report.replica_id());
  sign.set_incarnation(busy.report.incarnation());
  sign.set_still_busy(true);
  EXPECT_EQ(coordinator->Report(sign)->ShortDebugString(), "");
  EXPECT_EQ(coordinator->Checkpoint().ShortDebugString(), before);
  for (int i = 0; i < 4; ++i) {
    clock.Advance(absl::Seconds(20));
    EXPECT_TRUE(coordinator->Report(sign).ok());
    coordinator->RemoveDeadReplicas();
  }
  EXPECT_EQ(Status().live_replicas(), 1) << "the other was silent";
  busy.Push(100).Report(*coordinator).IgnoreError();
  EXPECT_EQ(coordinator->Report(sign)->directive(), ReportReply::STOP);
  sign.set_incarnation(sign.incarnation() + 1);
  EXPECT_THAT(coordinator->Report(sign), FailsWith(absl::StatusCode::kNotFound, "join again"));
}

TEST_F(CoordinatorTest, SettingTheTimeOfDayNeitherKillsAReplicaNorKeepsASilentOne) {
  for (const absl::Duration jump : {absl::Seconds(60), -absl::Hours(1)}) {
    Start(SmallRun());
    FakeReplica silent = Join(), alive = Join();
    clock.JumpWall(jump);
    coordinator->RemoveDeadReplicas();
    EXPECT_EQ(Status().live_replicas(), 2) << jump;
    clock.Advance(absl::Seconds(31));
    alive.Report(*coordinator).IgnoreError();
    coordinator->RemoveDeadReplicas();
    EXPECT_EQ(Status().live_replicas(), 1) << jump;
    EXPECT_GT(Join().report.incarnation(), alive.report.incarnation()) << jump;
  }
}

TEST_F(CoordinatorTest, SilentReplicasAreTakenForDeadAndTheirSlicesDealtAgain) {
  Start(SmallRun());
  FakeReplica silent = Join(), alive = Join();
  EXPECT_EQ(silent.Report(*coordinator, true).value().slice().index(), 0);
  clock.Advance(absl::Seconds(30));
  alive.Report(*coordinator).IgnoreError();
  coordinator->RemoveDeadReplicas();  // 30 s are not yet too much
  EXPECT_EQ(Status().live_replicas(), 2);
  clock.Advance(absl::Milliseconds(1));
  coordinator->RemoveDeadReplicas();
  EXPECT_EQ(Status().live_replicas(), 1);
  EXPECT_EQ(alive.Report(*coordinator, true).value().slice().index(), 0);
  EXPECT_THAT(silent.Push(1).Report(*coordinator), FailsWith(absl::StatusCode::kNotFound, "join again"));
  EXPECT_EQ(Status().updates(), 0);
}

TEST_F(CoordinatorTest, ALeavingReplicasSlicesAreDealtAgain) {
  Start(SmallRun());
  FakeReplica leaving = Join(), staying = Join();
  leaving.Report(*coordinator, true).IgnoreError();
  LeaveRequest leave;
  leave.set_replica_id(leaving.report.replica_id());
  EXPECT_TRUE(coordinator->Leave(leave).ok());  // incarnation 0: not this one
  EXPECT_EQ(Status().live_replicas(), 2);
  leave.set_incarnation(leaving.report.incarnation());
  EXPECT_TRUE(coordinator->Leave(leave).ok());
  EXPECT_TRUE(coordinator->Leave(leave).ok());
  EXPECT_EQ(Status().live_replicas(), 1);
  EXPECT_EQ(staying.Report(*coordinator, true).value().slice().index(), 0);
}

TEST_F(CoordinatorTest, WarmStartIsOneReplicasUntilItsUpdatesAreDone) {
  RunDescription description = SmallRun();
  description.mutable_cluster()->set_warm_start_updates(5);
  Start(description);
  FakeReplica a = Join(), b = Join(), c = Join();
  ReportReply reply = a.Push(2).Report(*coordinator, true).value();
  EXPECT_EQ(reply.directive(), ReportReply::CONTINUE);
  EXPECT_TRUE(reply.has_slice());
  reply = b.Report(*coordinator, true).value();
  EXPECT_EQ(reply.directive(), ReportReply::WAIT);
  EXPECT_FALSE(reply.has_slice());

  LeaveRequest leave;
  leave.set_replica_id(a.report.replica_id());
  leave.set_incarnation(a.report.incarnation());
  coordinator->Leave(leave).IgnoreError();
  EXPECT_EQ(b.Push(2).Report(*coordinator).value().directive(), ReportReply::CONTINUE);
  EXPECT_EQ(c.Report(*coordinator).value().directive(), ReportReply::WAIT);
  FakeReplica returned = Join();  // back, but another has taken over
  EXPECT_EQ(returned.Report(*coordinator).value().directive(), ReportReply::WAIT);
  EXPECT_EQ(b.Push(1).Report(*coordinator).value().directive(), ReportReply::CONTINUE);
  EXPECT_EQ(c.Report(*coordinator, true).value().directive(), ReportReply::CONTINUE);
}

TEST_F(CoordinatorTest, AfterTheWarmStartOneMoreReplicaBeginsAtEverySoManyUpdates) {
  RunDescription description = SmallRun();
  description.mutable_cluster()->set_warm_start_updates(5);
  description.mutable_cluster()->set_join_every_updates(10);
  Start(description);
  FakeReplica a = Join(), b = Join(), c = Join();
  const auto goes_on = [&](FakeReplica& replica) {
    return replica.Report(*coordinator).value().directive() == ReportReply::CONTINUE;
  };
  a.Push(5);
  EXPECT_TRUE(goes_on(a));
  EXPECT_FALSE(goes_on(b));
  a.Push(9);  // 14 updates, 9 of them since the warm start
  EXPECT_TRUE(goes_on(a));
  EXPECT_FALSE(goes_on(b));
  a.Push(1);
  EXPECT_TRUE(goes_on(a));
  EXPECT_TRUE(goes_on(b));
  EXPECT_FALSE(goes_on(c));
  coordinator = Coordinator::Restore(OptionsFor(description), coordinator->Checkpoint()).value();
  EXPECT_TRUE(goes_on(b));
  EXPECT_FALSE(goes_on(c));
  LeaveRequest leave;
  leave.set_replica_id(a.report.replica_id());
  leave.set_incarnation(a.report.incarnation());
  coordinator->Leave(leave).IgnoreError();
  EXPECT_TRUE(goes_on(b));
  EXPECT_TRUE(goes_on(c)) << "c is the second of two";
}

TEST_F(CoordinatorTest, StopsWhenTheUpdatesAreDone) {
  RunDescription description = SmallRun();
  description.mutable_budget()->set_updates(5);
  Start(description);
  FakeReplica replica = Join();
  EXPECT_EQ(replica.Push(4).Report(*coordinator, true).value().directive(), ReportReply::CONTINUE);
  const ReportReply reply = replica.Push(1).Report(*coordinator, true).value();
  EXPECT_EQ(reply.directive(), ReportReply::STOP);
  EXPECT_FALSE(reply.has_slice());
  EXPECT_EQ(Status().fraction_done(), 1);
}

TEST_F(CoordinatorTest, ARunWhosePushesAreAllRejectedEndsAndIsEvaluated) {
  RunDescription description = SmallRun();
  description.mutable_budget()->set_updates(5);
  Start(description);
  EvaluationResult result;
  result.mutable_test()->set_frames(1);
  ASSERT_EQ(coordinator->NextEvaluation({})->directive(), NextEvaluationReply::EVALUATE);
  ASSERT_TRUE(coordinator->RecordEvaluation(result).ok());
  FakeReplica replica = Join();
  for (int rejected = 1; rejected <= 5; ++rejected) {
    replica.AddMinibatch().set_pushes_rejected(rejected);
    EXPECT_EQ(replica.Report(*coordinator).value().directive(),
              rejected < 5 ? ReportReply::CONTINUE : ReportReply::STOP);
  }
  EXPECT_EQ(coordinator->NextEvaluation({})->directive(), NextEvaluationReply::EVALUATE);
  ASSERT_TRUE(coordinator->RecordEvaluation(result).ok());
  EXPECT_EQ(Status().phase(), RunStatus::FINISHED);
  EXPECT_EQ(Status().updates(), 0);
}

TEST_F(CoordinatorTest, StopsWhenTheEpochsAreDoneWhicheverComesFirst) {
  RunDescription description = SmallRun();
  description.mutable_budget()->set_updates(1000);
  description.mutable_budget()->set_epochs(0.5);  // 500 of 1,000 frames
  Start(description);
  FakeReplica replica = Join();
  EXPECT_EQ(replica.Push(49).Report(*coordinator).value().directive(), ReportReply::CONTINUE);
  EXPECT_DOUBLE_EQ(Status().fraction_done(), 0.98);
  EXPECT_EQ(replica.Push(1).Report(*coordinator).value().directive(), ReportReply::STOP);
}

// Replicas join, leave, die, restart and read slices in random order, over a coordinator that is now and then
// restored from its checkpoint. Whatever a live replica reports as finished is read; each position is,
// exactly once an epoch.
TEST_F(CoordinatorTest, EveryPositionIsReadExactlyOnceAnEpochThroughJoinsLeavesAndDeaths) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    Start(SmallRun());
    struct Reader {
      FakeReplica replica;
      std::vector<DataSlice> held;
    };
    std::vector<Reader> readers;
    std::map<int64_t, std::vector<int>> times_read;
    const auto read = [&](Reader& reader, bool finishes) {
      std::vector<DataSlice> finished;
      if (finishes && !reader.held.empty()) {
        std::swap(reader.held.back(), reader.held[random.Below(reader.held.size())]);
        finished.push_back(reader.held.back());
        reader.held.pop_back();
        *reader.replica.report.add_finished() = finished[0];
      }
      const auto reply = reader.replica.Report(*coordinator, true);
      if (random.Below(4) == 0) coordinator->Report(reader.replica.sent).IgnoreError();  // sent twice
      if (!reply.ok()) return false;
      reader.held.push_back(reply->slice());
      for (const DataSlice& slice : finished) {
        std::vector<int>& times = times_read[slice.epoch()];
        times.resize(10);
        for (int64_t position = slice.begin(); position < slice.end(); ++position) ++times[position];
      }
      return true;
    };
    for (int step = 0; step < 200; ++step) {
      const uint64_t choice = random.Below(20);
      if (readers.empty() || (choice < 2 && readers.size() < 6)) {
        readers.push_back({Join(), {}});
        continue;
      }
      const size_t which = random.Below(readers.size());
      FakeReplica& replica = readers[which].replica;
      if (choice == 2) {
        LeaveRequest leave;
        leave.set_replica_id(replica.report.replica_id());
        leave.set_incarnation(replica.report.incarnation());
        coordinator->Leave(leave).IgnoreError();
        readers.erase(readers.begin() + which);
      } else if (choice == 3) {  // killed, found out about later
        readers.erase(readers.begin() + which);
      } else if (choice == 4) {  // restarted at once
        readers[which] = {Join(), {}};
      } else if (choice == 5) {
        coordinator = Coordinator::Restore(OptionsFor(SmallRun()), coordinator->Checkpoint()).value();
      } else {
        clock.Advance(absl::Seconds(static_cast<double>(random.Below(12))));
        coordinator->RemoveDeadReplicas();
        if (!read(readers[which], true)) readers[which] = {Join(), {}};
      }
    }
    clock.Advance(absl::Seconds(31));
    coordinator->RemoveDeadReplicas();
    Reader last{Join(), {}};
    const int64_t epochs = times_read.empty() ? 0 : times_read.rbegin()->first;
    while (times_read.empty() || times_read.rbegin()->first <= epochs + 1) ASSERT_TRUE(read(last, true));
    for (int64_t epoch = 0; epoch <= epochs; ++epoch) {
      EXPECT_EQ(times_read[epoch], std::vector<int>(10, 1)) << "seed " << seed << " epoch " << epoch;
    }
  }
}

}  // namespace
}  // namespace downpour
