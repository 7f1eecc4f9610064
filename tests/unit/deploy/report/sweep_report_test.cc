// Where on the data's way: the report, under test: the figures and the table of a grid of runs.
#include "deploy/report/sweep_report.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LoggedRun GridRun(OptimizerDescription::Kind kind, int replicas, double drop_share) {
  LoggedRun run;
  run.name = "run";
  run.description.mutable_optimizer()->set_kind(kind);
  run.description.mutable_cluster()->set_replicas(replicas);
  run.description.mutable_cluster()->set_n_push(2);
  if (drop_share > 0) run.description.mutable_noise()->set_push_drop_share(drop_share);
  run.log = ParseCsv(
      "updates,frames,test_frame_accuracy,gradient_variance,gradient_squared_norm\n"
      "0,0,0.9,,\n500,50000,0.1,1.5,9\n1000,100000,0.2,2.5,0.5\n1500,150000,0.6,1.5,0.75\n",
      "frame_accuracy.csv");
  run.staleness = {{0, 50}, {10, 50}};
  return run;
}

TEST(SweepReport, TableHasARowARun) {
  const Report report = MakeSweepReport(
      {GridRun(OptimizerDescription::ADADELTA, 1, 0), GridRun(OptimizerDescription::SGD, 20, 0.3)});
  ASSERT_EQ(report.results.rows.size(), 2u);
  // Final: (0.1 + 0.2 + 0.6) / 3. Noise scale: (2.5 + 1.5) / (0.5 + 0.75) pushes of 2 minibatches of
  // 100 frames.
  EXPECT_THAT(report.results.rows[1],
              ElementsAre("SGD, learning rate 0.01", "20", "30 % of pushes dropped", "1,500", "30.0 %",
                          "90.0 %", "5", "10", "1.5", "640", "–", "–", "–", "–"));
}

TEST(SweepReport, SeedsAreOneRowWithMeanAndRange) {
  std::vector<LoggedRun> runs;
  for (const int replicas : {1, 10}) {
    for (const int seed : {1, 2, 3}) {
      runs.push_back(GridRun(OptimizerDescription::SGD, replicas, 0));
      runs.back().description.set_seed(seed);
    }
  }
  // The last three evaluations: 0.3 with seed 1, (0.2 + 0.3 + 0.7) / 3 = 0.4 with 2, 0.35 with 3.
  runs[1].log = ParseCsv("updates,frames,test_frame_accuracy\n1,9,0.2\n2,19,0.3\n3,29,0.7\n", "x");
  runs[2].log = ParseCsv("updates,frames,test_frame_accuracy\n1,9,0.35\n", "x");
  const Report report = MakeSweepReport(runs);
  ASSERT_EQ(report.results.rows.size(), 2u);
  EXPECT_EQ(report.results.rows[0][4], "35.0 % (30.0 % to 40.0 %)");
  EXPECT_EQ(report.results.rows[1][4], "30.0 % (30.0 % to 30.0 %)");
  EXPECT_EQ(report.results.rows[0][3], "501") << "the mean of 1,500, 3 and 1";
  EXPECT_THAT(report.svg, AllOf(HasSubstr("class=\"range s0\""), HasSubstr(": 35.0 %")));
  EXPECT_THAT(report.html, HasSubstr("mean of runs with different seeds"));
}

TEST(SweepReport, OtherSettingsAreToldApart) {
  LoggedRun plain = GridRun(OptimizerDescription::SGD, 1, 0), warm = plain;
  warm.description.mutable_cluster()->set_warm_start_updates(500);
  warm.description.mutable_checkpoint()->set_every_s(1);
  const Report report = MakeSweepReport({plain, warm});
  ASSERT_EQ(report.results.rows.size(), 2u);
  EXPECT_EQ(report.results.rows[0][0], "SGD, learning rate 0.01, warm_start_updates 0");
  EXPECT_EQ(report.results.rows[1][0], "SGD, learning rate 0.01, warm_start_updates 500");
  LoggedRun other_rho = plain;  // which SGD does not use
  other_rho.description.mutable_optimizer()->set_rho(0.5);
  EXPECT_EQ(MakeSweepReport({plain, other_rho}).results.rows.size(), 2u) << "only seeds are averaged";
}

TEST(SweepReport, ANoiseScaleThatIsNoneIsNotTold) {
  LoggedRun run = GridRun(OptimizerDescription::SGD, 1, 0);
  run.log = ParseCsv(
      "updates,gradient_variance,gradient_squared_norm\n0,1,0.5\n1,1,0.5\n2,1,0.1\n3,1,-0.05\n", "x");
  EXPECT_EQ(NoiseScaleFrames(run), std::nullopt) << "0.1 and -0.05 are 0 as far as one can tell";
}

TEST(SweepReport, DrawsAgainstReplicasByNoiseAndTheCurves) {
  std::vector<LoggedRun> runs;
  for (const auto kind : {OptimizerDescription::ADADELTA, OptimizerDescription::MOMENTUM}) {
    for (const int replicas : {1, 200}) {
      for (const double drop_share : {0.0, 0.3}) runs.push_back(GridRun(kind, replicas, drop_share));
    }
  }
  const Report report = MakeSweepReport(runs);
  EXPECT_THAT(
      report.html,
      AllOf(HasSubstr("noise: none; mean of the last three"),
            HasSubstr("noise: 30 % of pushes dropped; mean of the last three"),
            HasSubstr("Final test frame accuracy by noise"), HasSubstr("200 replicas; mean"),
            HasSubstr("ADADELTA, ρ 0.95, ε 1e-06: accuracy by number of replicas"),
            HasSubstr("accuracy by noise"), HasSubstr("Staleness, 200 replicas, 30 % of pushes dropped")));
  EXPECT_THAT(report.html, Not(HasSubstr("nothing to draw")));
  EXPECT_THAT(report.svg, AllOf(HasSubstr("<style>"), HasSubstr("against the number of replicas"),
                                HasSubstr(">ADADELTA 30.0 %</text>"), HasSubstr(">MOMENTUM 30.0 %</text>")));
}

TEST(SweepReport, SaysHowManyTimesAsFastAsOneReplicaAnAccuracyIsReached) {
  LoggedRun one = GridRun(OptimizerDescription::SGD, 1, 0), ten = GridRun(OptimizerDescription::SGD, 10, 0);
  one.log = ParseCsv("updates,virtual_s,test_frame_accuracy\n0,0,0\n1,100,0.1\n2,200,0.2\n", "x");
  ten.log = ParseCsv("updates,virtual_s,test_frame_accuracy\n0,0,0\n1,10,0.16\n2,20,0.18\n", "x");
  const Report report = MakeSweepReport({one, ten});
  // One replica reaches 16 % after 160 s, ten after 10 s.
  EXPECT_EQ(report.results.rows[0][11], "2 min 40 s");
  EXPECT_EQ(report.results.rows[1][11], "10 s");
  EXPECT_EQ(report.results.rows[1][12], "–");
  EXPECT_THAT(report.html, AllOf(HasSubstr("times as fast as one replica"), HasSubstr(": 16; replicas")));
  EXPECT_THAT(report.speed_up_svg, AllOf(HasSubstr("<style>"), HasSubstr("Time to an accuracy")));
  EXPECT_THAT(MakeSweepReport({ten}).html, Not(HasSubstr("Time to an accuracy")));
  EXPECT_EQ(MakeSweepReport({ten}).speed_up_svg, "");
}

TEST(SweepReport, DrawsTheCurvesOfSeveralOptimizersWhereNothingElseDiffers) {
  const Report report = MakeSweepReport(
      {GridRun(OptimizerDescription::ADADELTA, 100, 0), GridRun(OptimizerDescription::ADAGRAD, 100, 0)});
  EXPECT_THAT(report.svg,
              AllOf(HasSubstr("100 replicas: accuracy by optimizer"), HasSubstr("frames trained on"),
                    HasSubstr(">ADADELTA 60.0 %</text>"), HasSubstr(">ADAGRAD 60.0 %</text>")));
}

TEST(SweepReport, OneRunIsNoGridAndStillAPage) {
  const Report report = MakeSweepReport({GridRun(OptimizerDescription::SGD, 1, 0)});
  EXPECT_THAT(report.html, AllOf(HasSubstr("Staleness, 1 replica"), Not(HasSubstr("nothing to draw"))));
  LoggedRun empty;
  EXPECT_EQ(MakeSweepReport({empty}).results.rows[0][4], "–");
}

}  // namespace
}  // namespace downpour
