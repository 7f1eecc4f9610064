// Where on the data's way: before a run, under test: whether a run goes on, is finished, or is another.
#include "deploy/grid/grid_record.h"

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/run_files.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

RunDescription Description(double epochs, int minibatch) {
  RunDescription description;
  description.mutable_budget()->set_epochs(epochs);
  description.mutable_cluster()->set_minibatch(minibatch);
  return description;
}

NextStep Decide(const HeldRun& held, const RunDescription& wanted) {
  const auto step = DecideNextStep(held, wanted, /*restart=*/false);
  EXPECT_TRUE(step.ok()) << step.status();
  return step.value_or(NextStep::kRestart);
}

TEST(GridRecord, AFinishedRunIsDoneAndAnotherGoesOn) {
  const RunDescription wanted = Description(2, 50);
  EXPECT_EQ(Decide({}, wanted), NextStep::kTrain);
  EXPECT_EQ(Decide({wanted, {}}, wanted), NextStep::kTrain);
  EXPECT_EQ(Decide({wanted, wanted}, wanted), NextStep::kNothing);
  RunDescription other_checkpoints = wanted;
  other_checkpoints.mutable_checkpoint()->set_every_s(1);
  EXPECT_EQ(Decide({other_checkpoints, other_checkpoints}, wanted), NextStep::kNothing);
  EXPECT_EQ(Decide({Description(1, 50), Description(1, 50)}, wanted), NextStep::kTrain) << "a larger budget";
}

TEST(GridRecord, WhatCannotGoOnIsRefusedOrBegunAnew) {
  const RunDescription wanted = Description(2, 50);
  RunDescription more_evaluations = wanted;
  more_evaluations.mutable_evaluation()->set_every_updates(10);
  const std::pair<HeldRun, const char*> cases[] = {
      {{Description(2, 60), {}}, "cluster.minibatch: 60 -> 50"},
      {{{}, Description(2, 60)}, "cluster.minibatch: 60 -> 50"},
      {{Description(3, 50), Description(3, 50)}, "budget.epochs: 3 -> 2"},
      {{more_evaluations, more_evaluations}, "evaluation"},
  };
  for (const auto& [held, difference] : cases) {
    const absl::Status refused = DecideNextStep(held, wanted, /*restart=*/false).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(refused.message(), HasSubstr(difference));
    EXPECT_EQ(*DecideNextStep(held, wanted, /*restart=*/true), NextStep::kRestart);
  }
  EXPECT_EQ(*DecideNextStep({wanted, wanted}, wanted, /*restart=*/true), NextStep::kNothing)
      << "the same command, --restart included, goes on after Ctrl-C";
}

TEST(GridRecord, ARunWhoseCheckpointIsLostIsBegunAnewOnlyIfTold) {
  const std::string folder = ::testing::TempDir() + "grid_record_lost";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  EXPECT_EQ(Decide(*ReadHeldRun(folder), Description(2, 50)), NextStep::kTrain);
  ASSERT_TRUE(RecordRunId(folder, "run-1").ok());
  const HeldRun lost = *ReadHeldRun(folder);
  const absl::Status refused = DecideNextStep(lost, Description(2, 50), /*restart=*/false).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("whose checkpoint is lost"));
  EXPECT_EQ(*DecideNextStep(lost, Description(2, 50), /*restart=*/true), NextStep::kRestart);
  ASSERT_TRUE(RecordFinished(folder, Description(2, 50)).ok());
  EXPECT_EQ(Decide(*ReadHeldRun(folder), Description(2, 50)), NextStep::kNothing) << "it needs none any more";
}

TEST(GridRecord, IsReadAsItWasWritten) {
  const std::string folder = ::testing::TempDir() + "grid_record";
  std::filesystem::create_directories(folder);
  RunDescription description = Description(2, 50);
  description.mutable_optimizer()->set_epsilon(1e-8f);
  description.mutable_data()->set_train_dir("a \"b\"\n");
  ASSERT_TRUE(RecordFinished(folder, description).ok());
  auto held = ReadHeldRun(folder);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_FALSE(held->begun);
  EXPECT_EQ(Decide(*held, description), NextStep::kNothing);
  ASSERT_TRUE(ForgetFinished(folder).ok());
  ASSERT_TRUE(ForgetFinished(folder).ok());
  held = ReadHeldRun(folder);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_FALSE(held->finished);
}

}  // namespace
}  // namespace downpour
