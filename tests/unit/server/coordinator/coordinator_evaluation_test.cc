// Where on the data's way: from the parameters to the evaluator; when evaluations are due, what their lines
// cover, and that a restored run goes on alike.
#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

EvaluationResult ResultAt(int64_t updates) {
  EvaluationResult result;
  result.set_updates(updates);
  result.mutable_test()->set_frames(100);
  result.mutable_test()->set_correct(25);
  return result;
}

class EvaluationTest : public CoordinatorTest {
 protected:
  NextEvaluationReply Next() { return coordinator->NextEvaluation({}).value(); }
  void ExpectDue(int64_t updates) {
    const NextEvaluationReply next = Next();
    EXPECT_EQ(next.directive(), NextEvaluationReply::EVALUATE);
    EXPECT_EQ(next.updates(), updates);
  }
  void ExpectNone() { EXPECT_EQ(Next().directive(), NextEvaluationReply::WAIT); }
  void Record(int64_t updates) { ASSERT_TRUE(coordinator->RecordEvaluation(ResultAt(updates)).ok()); }
};

TEST_F(EvaluationTest, DueBeforeTheFirstUpdateAtEachMultipleAndAtTheEnd) {
  RunDescription description = SmallRun();
  description.mutable_budget()->set_updates(25);
  Create(description);
  ExpectNone();  // no shards yet
  Start(description);
  FakeReplica replica = Join();
  ExpectDue(0);
  Record(0);
  ExpectNone();
  replica.Push(9).Report(*coordinator).IgnoreError();
  ExpectNone();
  replica.Push(1).Report(*coordinator).IgnoreError();
  ExpectDue(10);
  Record(10);
  replica.Push(14).Report(*coordinator).IgnoreError();
  ExpectDue(24);  // passed 20 since
  Record(24);
  ExpectNone();
  replica.Push(1).Report(*coordinator).IgnoreError();
  EXPECT_EQ(Status().phase(), RunStatus::TRAINING);
  ExpectDue(25);
  Record(25);
  EXPECT_EQ(Next().directive(), NextEvaluationReply::STOP);
  EXPECT_EQ(Status().phase(), RunStatus::FINISHED);
  EXPECT_EQ(Status().last_evaluation().updates(), 25);
  ASSERT_EQ(observer.records.size(), 4u);
  EXPECT_TRUE(observer.records[3].point.budget_reached());
}

TEST_F(EvaluationTest, ATestLossThatDoesNotFallLowersThePlateauFactorAlsoAfterARestart) {
  RunDescription description = SmallRun();
  description.mutable_optimizer()->mutable_schedule()->set_kind(ScheduleDescription::PLATEAU);
  Start(description);
  FakeReplica replica = Join();
  for (const auto& [updates, loss, factor] :
       {std::tuple(0, 3.0, 1.0), std::tuple(10, 2.0, 1.0), std::tuple(20, 2.5, 0.5)}) {
    ExpectDue(updates);
    EvaluationResult result = ResultAt(updates);
    result.mutable_test()->set_loss_sum(loss * static_cast<double>(result.test().frames()));
    ASSERT_TRUE(coordinator->RecordEvaluation(result).ok());
    EXPECT_EQ(Status().plateau_factor(), factor) << updates;
    replica.Push(10).Report(*coordinator).IgnoreError();
  }
  const CoordinatorCheckpoint checkpoint = coordinator->Checkpoint();
  EXPECT_EQ(checkpoint.plateau().lowest_loss(), 2.0);
  EXPECT_EQ((*Coordinator::Restore(OptionsFor(description), checkpoint))->GetRunStatus({})->plateau_factor(),
            0.5);
}

TEST_F(EvaluationTest, TheLastEvaluationServesAsThatOfItsMultiple) {
  RunDescription description = SmallRun();
  description.mutable_budget()->set_updates(10);
  Start(description);
  FakeReplica replica = Join();
  ExpectDue(0);
  Record(0);
  replica.Push(10).Report(*coordinator).IgnoreError();
  ExpectDue(10);
  Record(10);
  EXPECT_EQ(Next().directive(), NextEvaluationReply::STOP);
}

TEST_F(EvaluationTest, ALineCoversTheTimeSinceTheLineBefore) {
  Start(SmallRun());
  FakeReplica replica = Join();
  ExpectDue(0);
  Record(0);
  replica.Push(10, 3).Report(*coordinator).IgnoreError();
  clock.Advance(absl::Seconds(5));
  wall_clock.Advance(absl::Seconds(2));
  ExpectDue(10);
  replica.Push(10, 8);  // the next line's, as it comes after the parameters of this one
  replica.report.set_loss_sum(replica.report.loss_sum() + 100);
  replica.Report(*coordinator).IgnoreError();
  Record(10);
  ExpectDue(20);
  Record(20);
  ASSERT_EQ(observer.records.size(), 3u);
  EXPECT_EQ(observer.records[0].reported.frames, 0);

  const EvaluationRecord& second = observer.records[1];
  EXPECT_EQ(second.point.updates(), 10);
  EXPECT_EQ(second.point.frames(), 100);
  EXPECT_DOUBLE_EQ(second.point.epoch(), 0.1);
  EXPECT_DOUBLE_EQ(second.point.virtual_s(), 5);
  EXPECT_DOUBLE_EQ(second.point.wall_s(), 2);
  EXPECT_DOUBLE_EQ(second.point.unix_time_s(), 1002);
  EXPECT_EQ(second.point.live_replicas(), 1);
  EXPECT_DOUBLE_EQ(second.reported.loss_sum / second.reported.frames, 2);
  EXPECT_EQ(second.reported.staleness.counts(), (std::map<uint64_t, int64_t>{{3, 10}}));

  const EvaluationRecord& third = observer.records[2];
  EXPECT_DOUBLE_EQ(third.reported.loss_sum / third.reported.frames, 3);
  EXPECT_EQ(third.reported.staleness.counts(), (std::map<uint64_t, int64_t>{{8, 10}}));
  EXPECT_EQ(third.staleness.counts(), (std::map<uint64_t, int64_t>{{3, 10}, {8, 10}}));
}

TEST_F(EvaluationTest, ALostEvaluationIsHandedOutAgainAsOfNow) {
  Start(SmallRun());
  FakeReplica replica = Join();
  ExpectDue(0);
  ExpectNone();  // for a second evaluator
  Record(0);
  Record(0);  // a repeat
  replica.Push(10, 1).Report(*coordinator).IgnoreError();
  ExpectDue(10);
  replica.Push(2, 4).Report(*coordinator).IgnoreError();
  clock.Advance(absl::Seconds(29));
  ExpectNone();
  clock.Advance(absl::Seconds(1));
  ExpectDue(12);
  Record(10);  // of the evaluator given up
  EXPECT_EQ(observer.records.size(), 1u);
  Record(12);
  ExpectNone();
  ASSERT_EQ(observer.records.size(), 2u);
  EXPECT_EQ(observer.records[1].reported.frames, 120);
  EXPECT_EQ(observer.records[1].reported.staleness.counts(), (std::map<uint64_t, int64_t>{{1, 10}, {4, 2}}));
}

TEST_F(EvaluationTest, ResultsThatCannotBeAreRefused) {
  Start(SmallRun());
  ExpectDue(0);
  EXPECT_THAT(coordinator->RecordEvaluation(ResultAt(-1)),
              FailsWith(absl::StatusCode::kInvalidArgument, "updates is -1"));
  // Handed out before the coordinator fell back to an older checkpoint, perhaps.
  EXPECT_TRUE(coordinator->RecordEvaluation(ResultAt(1)).ok());
  EXPECT_THAT(coordinator->RecordEvaluation(EvaluationResult()),
              FailsWith(absl::StatusCode::kInvalidArgument, "test.frames is 0"));
  EXPECT_TRUE(observer.records.empty());
}

// The same calls to two coordinators, one of which is replaced by its restored copy before each call.
TEST_F(EvaluationTest, ARunRestoredBeforeEachCallEqualsOneUninterrupted) {
  const auto course = [this](bool restored) {
    clock.Set(absl::UnixEpoch());
    observer.records.clear();
    RunDescription description = SmallRun();
    description.mutable_cluster()->set_warm_start_updates(6);
    description.mutable_budget()->set_updates(60);
    Start(description);
    const auto restart = [&] {
      if (!restored) return;
      const CoordinatorCheckpoint checkpoint = coordinator->Checkpoint();
      wall_clock.Advance(absl::Seconds(1000));
      coordinator = Coordinator::Restore(OptionsFor(description), checkpoint).value();
      EXPECT_EQ(coordinator->Checkpoint().SerializeAsString(), checkpoint.SerializeAsString());
    };
    std::vector<FakeReplica> replicas;
    for (int i = 0; i < 3; ++i) replicas.push_back(Join());
    std::string transcript;
    for (int step = 0; step < 120; ++step) {
      clock.Advance(absl::Seconds(0.37));
      restart();
      FakeReplica& replica = replicas[step % 3];
      const bool dead = step % 3 == 1 && step > 12;  // replica 2 falls silent
      if (!dead) {
        const auto reply = replica.Push(step % 3 == 0 ? 1 : 0, step % 7).Report(*coordinator, step % 5 == 0);
        transcript += reply.value().ShortDebugString() + "\n";
        restart();
      }
      coordinator->RemoveDeadReplicas();
      restart();
      const NextEvaluationReply next = Next();
      restart();
      if (next.directive() == NextEvaluationReply::EVALUATE) Record(next.updates());
      transcript += next.ShortDebugString() + "\n";
    }
    for (const EvaluationRecord& record : observer.records) {
      EvaluationPoint point = record.point;
      point.clear_unix_time_s();
      transcript += point.ShortDebugString() + record.reported.staleness.Save().ShortDebugString() + "\n";
    }
    return transcript;
  };
  const std::string uninterrupted = course(false);
  EXPECT_EQ(course(true), uninterrupted);
  EXPECT_NE(uninterrupted.find("live_replicas: 2"), std::string::npos);  // the death is in it
}

TEST_F(EvaluationTest, ARestoredRunGoesOnInTimeAndWithinItsNewBudget) {
  Start(SmallRun());
  FakeReplica replica = Join();
  ExpectDue(0);
  Record(0);
  replica.Push(100).Report(*coordinator).IgnoreError();
  wall_clock.Advance(absl::Seconds(7));
  ExpectDue(100);
  Record(100);
  const CoordinatorCheckpoint checkpoint = coordinator->Checkpoint();
  wall_clock.Advance(absl::Hours(10));
  coordinator = Coordinator::Restore(OptionsFor(SmallRun()), checkpoint).value();
  EXPECT_EQ(Next().directive(), NextEvaluationReply::STOP);

  RunDescription longer = SmallRun();
  longer.mutable_budget()->set_updates(105);
  coordinator = Coordinator::Restore(OptionsFor(longer), checkpoint).value();
  ExpectNone();
  EXPECT_EQ(replica.Push(5).Report(*coordinator).value().directive(), ReportReply::STOP);
  wall_clock.Advance(absl::Seconds(1));
  ExpectDue(105);
  Record(105);
  EXPECT_DOUBLE_EQ(observer.records.back().point.wall_s(), 8);
}

TEST_F(EvaluationTest, AFinalEvaluationUnderWayIsNoLongerFinalWithALargerBudget) {
  Start(SmallRun());
  FakeReplica replica = Join();
  replica.Push(100).Report(*coordinator).IgnoreError();
  ExpectDue(100);
  RunDescription longer = SmallRun();
  longer.mutable_budget()->set_updates(105);
  coordinator = Coordinator::Restore(OptionsFor(longer), coordinator->Checkpoint()).value();
  Record(100);
  EXPECT_EQ(Status().phase(), RunStatus::TRAINING);
  replica.Push(5).Report(*coordinator).IgnoreError();
  ExpectDue(105);
}

TEST_F(EvaluationTest, TheCheckpointOfAnotherRunIsRefused) {
  Start(SmallRun());
  const CoordinatorCheckpoint checkpoint = coordinator->Checkpoint();
  Coordinator::Options options = OptionsFor(SmallRun());
  options.run_id = "run-2";
  EXPECT_THAT(Coordinator::Restore(options, checkpoint),
              FailsWith(absl::StatusCode::kFailedPrecondition, "run_id is 'run-1', want 'run-2'"));
  options = OptionsFor(SmallRun());
  options.description.mutable_optimizer()->set_rho(0.5);
  EXPECT_THAT(Coordinator::Restore(options, checkpoint),
              FailsWith(absl::StatusCode::kFailedPrecondition, "rho"));
  CoordinatorCheckpoint broken = checkpoint;
  broken.mutable_slices()->set_next_index(99);
  EXPECT_THAT(Coordinator::Restore(OptionsFor(SmallRun()), broken),
              FailsWith(absl::StatusCode::kInvalidArgument, "index 99"));
  broken = checkpoint;
  broken.clear_data();
  broken.mutable_membership()->add_replicas()->set_replica_id(1);
  EXPECT_THAT(Coordinator::Restore(OptionsFor(SmallRun()), broken),
              FailsWith(absl::StatusCode::kInvalidArgument, "data"));
}

}  // namespace
}  // namespace downpour
