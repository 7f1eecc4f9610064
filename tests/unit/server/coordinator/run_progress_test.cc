// Where on the data's way: what the replicas report, added up, and compared with sums made by hand.
#include "server/coordinator/run_progress.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

class RunProgressTest : public ::testing::Test {
 protected:
  RunProgressTest() {
    description_.mutable_budget()->set_updates(10);
    description_.mutable_evaluation()->set_every_updates(5);
  }
  RunProgress Progress() { return RunProgress(description_, &clock_, &wall_clock_); }

  RunDescription description_;
  FakeClock clock_{absl::FromUnixSeconds(1000)};
  FakeClock wall_clock_{absl::FromUnixSeconds(1700000000)};
};

// `pushes` pushes of 10 frames each at a loss of 2 nats a frame and a staleness of 3 updates.
void AddPushes(int pushes, RunProgress* progress) {
  ReportRequest report;
  for (int i = 0; i < pushes; ++i) report.add_staleness(3);
  ReportTotals added;
  added.pushes_applied = pushes;
  added.frames = int64_t{10} * pushes;
  added.loss_sum = 20.0 * pushes;
  progress->Add(added, report);
}

TEST_F(RunProgressTest, APointSaysWhatWasAddedAndHowLongItTook) {
  RunProgress progress = Progress();
  AddPushes(4, &progress);
  EXPECT_EQ(progress.PointNow(2).epoch(), 0) << "the data is not known yet";
  progress.SetFramesOfAnEpoch(80);
  clock_.Advance(absl::Seconds(5));
  wall_clock_.Advance(absl::Seconds(7));
  const EvaluationPoint point = progress.PointNow(2);
  EXPECT_EQ(point.updates(), 4);
  EXPECT_EQ(point.frames(), 40);
  EXPECT_EQ(point.epoch(), 0.5);
  EXPECT_EQ(point.virtual_s(), 5);
  EXPECT_EQ(point.wall_s(), 7);
  EXPECT_EQ(point.unix_time_s(), 1700000007);
  EXPECT_EQ(point.live_replicas(), 2);
  EXPECT_FALSE(point.budget_reached());
  EXPECT_EQ(progress.staleness().pushes(), 4);
  EXPECT_EQ(progress.evaluations().reported().staleness.Mean(), 3);
  EXPECT_EQ(progress.evaluations().train_loss(), 2);
}

TEST_F(RunProgressTest, SettingTheTimeOfDayChangesTheTimeStampOnly) {
  for (const absl::Duration jump : {absl::Minutes(1), -absl::Hours(1)}) {
    RunProgress progress = Progress();
    const double before = progress.PointNow(2).unix_time_s();
    clock_.JumpWall(jump);
    wall_clock_.JumpWall(jump);
    wall_clock_.Advance(absl::Seconds(7));
    const EvaluationPoint point = progress.PointNow(2);
    EXPECT_EQ(point.wall_s(), 7);
    EXPECT_EQ(point.virtual_s(), 0);
    EXPECT_EQ(point.unix_time_s(), before + 7 + absl::ToDoubleSeconds(jump));
  }
}

TEST_F(RunProgressTest, TheBudgetIsOfUpdatesOrEpochsAndRejectedPushesCountTowardsIt) {
  RunProgress by_updates = Progress();
  AddPushes(7, &by_updates);
  EXPECT_FALSE(by_updates.BudgetReached());
  ReportTotals added;
  added.pushes_rejected = 3;
  by_updates.Add(added, ReportRequest());
  EXPECT_TRUE(by_updates.BudgetReached());
  RunStatus status;
  status.set_live_replicas(9);
  by_updates.AddTo(&status);
  EXPECT_EQ(status.updates(), 7);
  EXPECT_EQ(status.pushes_rejected(), 3);
  EXPECT_EQ(status.fraction_done(), 1);
  EXPECT_EQ(status.live_replicas(), 9);

  description_.mutable_budget()->set_epochs(2);
  RunProgress by_epochs = Progress();
  by_epochs.SetFramesOfAnEpoch(20);
  AddPushes(3, &by_epochs);
  EXPECT_FALSE(by_epochs.BudgetReached());
  AddPushes(1, &by_epochs);
  EXPECT_TRUE(by_epochs.BudgetReached());
}

TEST_F(RunProgressTest, ALoadedOneGoesOnAsTheSavedOneWithoutThePauseBetween) {
  RunProgress progress = Progress();
  clock_.Advance(absl::Seconds(5));
  AddPushes(10, &progress);
  progress.evaluations().HandOut(progress.PointNow(1));
  EvaluationResult result;
  result.set_updates(10);
  ASSERT_TRUE(progress.evaluations().Record(result).ok());
  EXPECT_TRUE(progress.evaluations().final_recorded());
  CoordinatorCheckpoint checkpoint;
  progress.Save(&checkpoint);
  EXPECT_TRUE(checkpoint.budget_reached());

  clock_.Advance(absl::Seconds(1000));
  RunProgress same = Progress();
  ASSERT_TRUE(same.Load(checkpoint).ok());
  EXPECT_TRUE(same.evaluations().final_recorded());
  CoordinatorCheckpoint again;
  same.Save(&again);
  EXPECT_EQ(again.SerializeAsString(), checkpoint.SerializeAsString());

  description_.mutable_budget()->set_updates(20);
  RunProgress larger_budget = Progress();
  ASSERT_TRUE(larger_budget.Load(checkpoint).ok());
  EXPECT_FALSE(larger_budget.BudgetReached());
  EXPECT_FALSE(larger_budget.evaluations().final_recorded()) << "it is evaluated again at its end";
}

}  // namespace
}  // namespace downpour
