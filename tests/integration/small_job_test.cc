// Where on the data's way: guards deploy/in_process/ with small whole runs: every optimizer learns, by
// either clock.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "tests/testing/training_run.h"

namespace downpour {
namespace {

using Rule = std::tuple<OptimizerDescription::Kind, float>;  // kind and learning rate; of VSGD the slow start

class SmallJobTest : public ::testing::TestWithParam<std::tuple<ClusterDescription::ClockKind, Rule>> {};

TEST_P(SmallJobTest, LearnsFarAboveChance) {
  const auto& [clock, rule] = GetParam();
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_clock(clock);
  description.mutable_optimizer()->set_kind(std::get<0>(rule));
  description.mutable_optimizer()->set_learning_rate(std::get<1>(rule));
  description.mutable_optimizer()->set_slow_start(std::get<1>(rule));
  if (std::get<0>(rule) == OptimizerDescription::MOMENTUM) description.mutable_optimizer()->set_rho(0.5);
  description.mutable_budget()->set_updates(1500);
  description.mutable_evaluation()->set_every_updates(500);
  const TrainingJob job = SyntheticJob(description, FreshRunDir());
  const absl::StatusOr<RunStatus> end = PrepareAndRun(job);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->phase(), RunStatus::FINISHED);
  const Curve curve = ReadCurve(job.run_dir);
  ASSERT_FALSE(curve.empty());
  // By the wall clock, some or even all pushes may be applied before the first evaluation has read
  // the parameters.
  if (clock == ClusterDescription::VIRTUAL) {
    EXPECT_GE(curve.size(), 2);
    EXPECT_EQ(curve.front().at("updates"), "0");
    EXPECT_LT(std::stod(curve.front().at("test_frame_accuracy")), 0.6);
  }
  EXPECT_GE(std::stoi(curve.back().at("updates")), 1500);
  EXPECT_GT(std::stod(curve.back().at("test_frame_accuracy")), 0.9);  // guessing: 0.2
  EXPECT_LT(std::stod(curve.back().at("test_loss")), 0.5);            // guessing: ln 5
  EXPECT_EQ(curve.back().at("pushes_rejected"), "0");
}

std::string Name(const ::testing::TestParamInfo<SmallJobTest::ParamType>& info) {
  return ClusterDescription::ClockKind_Name(std::get<0>(info.param)) + "_" +
         OptimizerDescription::Kind_Name(std::get<0>(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(
    ClocksAndRules, SmallJobTest,
    ::testing::Combine(::testing::Values(ClusterDescription::VIRTUAL, ClusterDescription::WALL),
                       ::testing::Values(Rule{OptimizerDescription::ADADELTA, 1},
                                         Rule{OptimizerDescription::ADAGRAD, 0.1},
                                         Rule{OptimizerDescription::MOMENTUM, 0.05},
                                         Rule{OptimizerDescription::SGD, 0.2},
                                         Rule{OptimizerDescription::WINDOWED, 0.005},
                                         Rule{OptimizerDescription::DIAGONAL_HESSIAN, 0.01},
                                         Rule{OptimizerDescription::VSGD, 10000})),
    Name);

// Replicas on threads; BOUNDED so tightly that they wait often, SYNCHRONOUS with one backup.
TEST(WaitingReplicas, Learn) {
  for (const auto consistency : {ClusterDescription::BOUNDED, ClusterDescription::SYNCHRONOUS}) {
    RunDescription description = SyntheticRun();
    description.mutable_cluster()->set_clock(ClusterDescription::WALL);
    description.mutable_cluster()->set_consistency(consistency);
    description.mutable_cluster()->set_staleness_bound(1);
    description.mutable_cluster()->set_backup_replicas(1);
    description.mutable_cluster()->set_warm_start_updates(20);
    description.mutable_optimizer()->set_kind(OptimizerDescription::ADAGRAD);
    description.mutable_optimizer()->set_learning_rate(0.1);
    description.mutable_budget()->set_updates(900);
    const TrainingJob job = SyntheticJob(description, FreshRunDir());
    const absl::StatusOr<RunStatus> end = PrepareAndRun(job);
    ASSERT_TRUE(end.ok()) << end.status();
    EXPECT_EQ(end->phase(), RunStatus::FINISHED);
    EXPECT_GT(std::stod(ReadCurve(job.run_dir).back().at("test_frame_accuracy")), 0.9);  // guessing: 0.2
  }
}

class BadFeaturesTest : public ::testing::TestWithParam<ClusterDescription::ClockKind> {};

// One utterance of 40 has a NaN: only the minibatches that contain it are lost.
TEST_P(BadFeaturesTest, PushesAreRejectedAndCountedAndTrainingGoesOn) {
  std::vector<float> features;
  std::vector<int32_t> labels;
  const auto good = SyntheticDataset(40, 50, kSyntheticClasses, 1);
  for (const Dataset::Utterance& utterance : good->utterances()) {
    for (int64_t frame = 0; frame < utterance.frames; ++frame) {
      float window[2];
      good->CopyWindow(utterance, frame, absl::MakeSpan(window));
      features.insert(features.end(), window, window + 2);
      labels.push_back(good->label(utterance.first_frame + frame));
    }
  }
  features[777] = std::numeric_limits<float>::quiet_NaN();
  auto data = std::make_shared<RunData>(*SyntheticRunData());
  data->train = std::make_shared<Dataset>(good->utterances(), features, labels, 2, 0, 0, std::vector<bool>());

  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_clock(GetParam());
  description.mutable_optimizer()->set_kind(OptimizerDescription::ADAGRAD);
  description.mutable_optimizer()->set_learning_rate(0.1);
  description.mutable_budget()->clear_updates();
  description.mutable_budget()->set_epochs(6);
  TrainingJob job = SyntheticJob(description, FreshRunDir());
  job.data = data;
  const absl::StatusOr<RunStatus> end = PrepareAndRun(job);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->phase(), RunStatus::FINISHED);
  const Curve curve = ReadCurve(job.run_dir);
  // Once in each epoch; one more epoch may have begun, and with the WALL clock the replicas may not have
  // reached it yet in the last epoch, nor reported it in the one before.
  EXPECT_GE(std::stoi(curve.back().at("pushes_rejected")), 4);
  EXPECT_LE(std::stoi(curve.back().at("pushes_rejected")), 7);
  EXPECT_GT(std::stod(curve.back().at("test_frame_accuracy")), 0.9);
  EXPECT_LT(std::stod(curve.back().at("train_loss")), 1);
}

class HumanTestSetTest : public ::testing::TestWithParam<ClusterDescription::ClockKind> {};

TEST_P(HumanTestSetTest, IsLoggedBesideTheOtherAndNonsilenceApart) {
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_clock(GetParam());
  description.mutable_budget()->set_updates(1500);
  description.mutable_evaluation()->set_every_updates(500);
  TrainingJob job = SyntheticJob(description, FreshRunDir());
  job.data = SyntheticRunDataWithHumans();
  const absl::StatusOr<RunStatus> end = PrepareAndRun(job);
  ASSERT_TRUE(end.ok()) << end.status();
  for (const auto& line : ReadCurve(job.run_dir)) {
    const auto value = [&](const char* column) {
      EXPECT_NE(line.at(column), "") << column;
      return line.at(column).empty() ? 0 : std::stod(line.at(column));
    };
    // Each accuracy is a number of frames divided by the number of frames in its set.
    const auto expect_share_of = [&](const Dataset& data, bool all, const char* column) {
      const int64_t silent = std::count(data.labels().begin(), data.labels().end(), 0);
      const auto frames = static_cast<double>(all ? data.frames() : data.frames() - silent);
      const double correct = value(column) * frames;
      EXPECT_NEAR(correct, std::round(correct), 1e-3) << column << " of " << frames << " frames";
    };
    expect_share_of(*job.data->test, true, "test_frame_accuracy");
    expect_share_of(*job.data->test, false, "test_nonsilence_frame_accuracy");
    expect_share_of(*job.data->test_human, true, "test_human_frame_accuracy");
    expect_share_of(*job.data->test_human, false, "test_human_nonsilence_frame_accuracy");
    EXPECT_NE(value("test_human_loss"), value("test_loss"));
    EXPECT_NE(value("test_human_nonsilence_frame_accuracy"), value("test_human_frame_accuracy"));
  }
  const auto last = ReadCurve(job.run_dir).back();
  const double human = std::stod(last.at("test_human_frame_accuracy"));
  EXPECT_GT(human, 0.6);
  EXPECT_LT(human, std::stod(last.at("test_frame_accuracy")) - 0.03) << "the human set is the harder one";
}

// Names the tests whose only parameter is the clock.
std::string ClockName(const ::testing::TestParamInfo<ClusterDescription::ClockKind>& info) {
  return ClusterDescription::ClockKind_Name(info.param);
}

INSTANTIATE_TEST_SUITE_P(Clocks, BadFeaturesTest,
                         ::testing::Values(ClusterDescription::VIRTUAL, ClusterDescription::WALL), ClockName);
INSTANTIATE_TEST_SUITE_P(Clocks, HumanTestSetTest,
                         ::testing::Values(ClusterDescription::VIRTUAL, ClusterDescription::WALL), ClockName);

}  // namespace
}  // namespace downpour
