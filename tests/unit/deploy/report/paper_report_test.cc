// Where on the data's way: the report; runs with known errors stand beside the right printed cell, and only
// what the paper has is called reached.
#include "deploy/report/paper_report.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LoggedRun Logged(OptimizerDescription::Kind kind, double test_error, uint64_t seed = 1) {
  LoggedRun run;
  run.directory = absl::StrCat("runs/", OptimizerDescription::Kind_Name(kind), seed);
  run.description.set_seed(seed);
  run.description.mutable_optimizer()->set_kind(kind);
  run.log = ParseCsv(
      absl::StrCat("epoch,updates,test_frame_accuracy\n0,0,0.1\n6,3600,", 1 - test_error, "\n"), "log");
  run.at_budget = true;
  return run;
}

TEST(PaperReport, WithoutRunsHasThePrintedNumbersAlone) {
  const PaperReport report = MakePaperReport({});
  ASSERT_EQ(report.tables.size(), 3);
  EXPECT_THAT(report.tables[0].rows[0], ElementsAre("ADADELTA", "2.00 %", "–"));
  EXPECT_THAT(report.tables[1].rows[0], ElementsAre("1", "2.26 %", "–", "89.68 %", "–", "43.76 %", "–"));
  EXPECT_THAT(report.tables[2].rows[2], ElementsAre("1e-06", "1.90 %", "–", "1.83 %", "–", "2.05 %", "–"));
  EXPECT_THAT(report.html, HasSubstr("0 of 15 cells are made"));
  EXPECT_THAT(report.html, Not(HasSubstr("Figure")));
}

TEST(PaperReport, EachRunStandsInItsCellWithMeanAndRange) {
  PaperRuns runs;
  for (const auto& [error, seed] : {std::pair(0.0180, 1), std::pair(0.0190, 2), std::pair(0.0200, 3)})
    runs.table2.push_back(Logged(OptimizerDescription::ADADELTA, error, seed));
  LoggedRun broken_off = Logged(OptimizerDescription::ADADELTA, 0.5, 4);
  broken_off.at_budget = false;
  runs.table2.push_back(broken_off);
  const PaperReport report = MakePaperReport(runs);
  EXPECT_EQ(report.tables[2].rows[2][4], "1.90 % (1.80–2.00)") << "rho 0.95, epsilon 1e-6";
  for (size_t row = 0; row < 4; ++row) {
    for (const size_t column : {2, 4, 6})
      EXPECT_EQ(report.tables[2].rows[row][column] == "–", row != 2 || column != 4) << row << " " << column;
  }
  EXPECT_THAT(report.html, HasSubstr("1 of 12 cells are made; 1 of them agree"));
}

TEST(PaperReport, MarksWhatIsNotReached) {
  const auto cell = [](OptimizerDescription::Kind kind, float rate, double error, size_t row, size_t column) {
    PaperRuns runs;
    runs.table1.push_back(Logged(kind, error));
    runs.table1[0].description.mutable_optimizer()->set_learning_rate(rate);
    return MakePaperReport(runs).tables[1].rows[row][column];
  };
  EXPECT_EQ(cell(OptimizerDescription::SGD, 1, 0.0256, 0, 2), "2.56 %");
  EXPECT_EQ(cell(OptimizerDescription::SGD, 1, 0.0257, 0, 2), "2.57 % ≠");
  EXPECT_EQ(cell(OptimizerDescription::SGD, 1, 0.0195, 0, 2), "1.95 % ≠");
  // Printed 89.68 % and 58.10 %: any error above 10 % is of the same kind.
  EXPECT_EQ(cell(OptimizerDescription::MOMENTUM, 1, 0.902, 0, 4), "90.20 %");
  EXPECT_EQ(cell(OptimizerDescription::SGD, 0.0001f, 0.30, 4, 2), "30.00 %");
  EXPECT_EQ(cell(OptimizerDescription::SGD, 0.0001f, 0.09, 4, 2), "9.00 % ≠");
}

TEST(PaperReport, DrawsTheFiguresOfTheRunsThatAreThere) {
  PaperRuns runs;
  for (const uint64_t seed : {1, 2})
    runs.figure1.push_back(Logged(OptimizerDescription::MOMENTUM, 0.01 * seed, seed));
  runs.figure1.push_back(Logged(OptimizerDescription::SGD, 0.03));
  std::string samples = "update,key,layer,step_size,change\n";
  for (int update = 60; update <= 6000; update += 60) {
    for (int layer = 0; layer < 2; ++layer) {
      absl::StrAppend(&samples, update, ",", 100 * layer + 5, ",", layer, ",",
                      update < 3000 ? 0.25 / (1 + layer) : 1, ",", update < 3000 ? -0.5 : 0.125, "\n");
    }
  }
  runs.samples = ParseCsv(samples, "samples.csv");
  const PaperReport report = MakePaperReport(runs);
  ASSERT_EQ(report.tables.size(), 5);
  EXPECT_THAT(report.tables[3].rows,
              ElementsAre(ElementsAre("MOMENTUM, learning rate 0.01, ρ 0.95", "2", "1.50 % (1.00–2.00)"),
                          ElementsAre("SGD, learning rate 0.01", "1", "3.00 %")));
  EXPECT_THAT(report.tables[4].rows, ElementsAre(ElementsAre("1", "0.25", "1", "0.5", "0.125"),
                                                 ElementsAre("2", "0.125", "1", "0.5", "0.125")));
  EXPECT_THAT(report.html, HasSubstr("Figure 1: test error on MNIST"));
  EXPECT_THAT(report.html, HasSubstr("weight matrix 2"));
}

}  // namespace
}  // namespace downpour
