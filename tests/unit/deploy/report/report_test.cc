// Where on the data's way: the report, under test: run folders that are finished, going on or damaged become
// a report.
#include "deploy/report/report.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/random.h"
#include "common/staleness_counts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kHeader[] =
    "wall_s,virtual_s,updates,frames,epoch,train_loss,test_loss,test_frame_accuracy,live_replicas,staleness_"
    "mean,"
    "staleness_p99,pushes_rejected,test_nonsilence_frame_accuracy,test_human_loss,test_human_frame_accuracy,"
    "test_human_nonsilence_frame_accuracy,gradient_variance,gradient_squared_norm,gradient_noise_scale\n";

void Write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

// Writes a run folder whose log has `lines` lines, one each 200 updates, with an accuracy that rises towards
// `limit`. The budget is 5,400 updates.
std::string WriteRun(const std::string& folder, const std::string& kind, double limit, int lines) {
  const std::string directory = absl::StrCat(::testing::TempDir(), "/report_test/", folder);
  std::filesystem::remove_all(directory);
  Write(directory + "/run.textproto",
        absl::StrCat("name: \"", folder,
                     "\" data { test_dir: \"corpus/test\" test_human_dir: \"corpus/test_human\" } ",
                     "network { hidden_width: [256, 128] } optimizer { kind: ", kind,
                     " } cluster { replicas: 20 } budget { updates: 5400 }"));
  Random random(1);
  std::string csv = kHeader;
  for (int i = 0; i < lines; ++i) {
    const int updates = 200 * i;
    const double accuracy = limit * (1 - std::exp(-updates / 1300.0)) + 0.002 * random.Uniform();
    absl::StrAppendFormat(&csv, "%d.5,%d,%d,%d,0.5,,%.4f,%.4f,20,19,41,3,%.4f,%.4f,%.4f,%.4f,2.5,0.5,5\n",
                          5 * i, 6 * i, updates, 100 * updates, 8.5 * (1 - accuracy), accuracy,
                          accuracy - 0.01, 9.0, accuracy / 4, accuracy / 5);
  }
  Write(directory + "/frame_accuracy.csv", csv);
  Write(directory + "/staleness.csv", "staleness,pushes\n0,10\n10,80\n20,9\n200,1\n");
  return directory;
}

LoggedRun Read(const std::string& directory) {
  absl::StatusOr<LoggedRun> run = ReadRun(directory);
  EXPECT_TRUE(run.ok()) << run.status();
  return *std::move(run);
}

// The first fault in the nesting of `markup`'s elements; empty if all are closed in the right order.
std::string NestingFault(const std::string& markup) {
  const std::regex tag("<(/?)([A-Za-z0-9]+)([^<>]*)>");
  std::vector<std::string> open;
  for (std::sregex_iterator match(markup.begin(), markup.end(), tag), end; match != end; ++match) {
    const std::string name = (*match)[2], rest = (*match)[3];
    if (name == "meta" || (!rest.empty() && rest.back() == '/')) continue;
    if ((*match)[1] == "") {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return absl::StrCat("</", name, "> closes ", open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : absl::StrCat(open.back(), " is never closed");
}

std::string Cell(const Report& report, const std::string& row, int run) {
  for (const auto& cells : report.results.rows) {
    if (cells[0] == row) return cells[1 + run];
  }
  return "no such row";
}

TEST(Report, DrawsTwoRunsOnOnePageThatNeedsNothingElse) {
  const Report report = MakeReport(
      {Read(WriteRun("ADADELTA", "ADADELTA", 0.47, 28)), Read(WriteRun("ADAGRAD", "ADAGRAD", 0.42, 28))});
  EXPECT_EQ(NestingFault(report.html), "");
  EXPECT_EQ(NestingFault(report.svg), "");
  for (const char* figure : {"Figure 1.", "Figure 2.", "Figure 3.", "Figure 4.", "Figure 5."}) {
    EXPECT_THAT(report.html, HasSubstr(figure));
  }
  EXPECT_THAT(report.html, HasSubstr("corpus/test)"));
  EXPECT_THAT(report.html, HasSubstr("recordings of a human speaker (corpus/test_human)"));
  EXPECT_THAT(report.html, Not(HasSubstr("<h2>Notes")));
  const std::string without_namespace =
      std::regex_replace(report.html + report.svg, std::regex("xmlns=\"http://www.w3.org/2000/svg\""), "");
  for (const char* outside : {"http", "<script", "<link", "src=", "url(", "@import"}) {
    EXPECT_THAT(without_namespace, Not(HasSubstr(outside)));
  }
  EXPECT_THAT(report.svg, AllOf(HasSubstr("<style>"), HasSubstr("Test frame accuracy against updates"),
                                HasSubstr("ADADELTA 4"), HasSubstr("ADAGRAD 4")));
}

TEST(Report, TableSaysWhatTheLogsSay) {
  const std::string directory = WriteRun("run", "WINDOWED", 0.4, 0);
  Write(directory + "/frame_accuracy.csv",
        std::string(kHeader) +
            "1,2,200,20000,0.1,,3,0.5,20,19,41,0,0.45,5,0.2,0.1,4,2,2\n"
            "130,4,1400,140000,0.2,2,3,0.25,20,19,41,7,0.2,5,0.125,0.0625,6,0.5,12\n");
  EXPECT_EQ(Cell(MakeReport({Read(directory)}), "always the most frequent class", 0), "–");
  Write(directory + "/data_summary.textproto", "classes: 5126 majority_test_accuracy: 0.0625");
  const Report report = MakeReport({Read(directory)});
  EXPECT_EQ(Cell(report, "always the most frequent class", 0), "6.2 %");
  EXPECT_THAT(report.svg, AllOf(HasSubstr("always the most frequent class"), HasSubstr("line sg dashed"),
                                HasSubstr("; 256-128 rectified linear units</text>")));
  EXPECT_EQ(Cell(report, "optimizer", 0), "WINDOWED, learning rate 0.01, ρ 0.95, ε 1e-06");
  EXPECT_EQ(Cell(report, "network", 0), "256-128 rectified linear units");
  EXPECT_EQ(Cell(report, "replicas", 0), "20");
  EXPECT_EQ(Cell(report, "updates", 0), "1,400");
  EXPECT_EQ(Cell(report, "frames", 0), "140,000");
  EXPECT_EQ(Cell(report, "test frame accuracy, final", 0), "25.0 %");
  EXPECT_EQ(Cell(report, "test frame accuracy, best", 0), "50.0 %");
  EXPECT_EQ(Cell(report, "human test frame accuracy, final", 0), "12.5 %");
  EXPECT_EQ(Cell(report, "gradient noise scale, frames", 0), "1,200");  // 6 / 0.5 pushes of 100 frames
  EXPECT_EQ(Cell(report, "pushes rejected", 0), "7");
  EXPECT_EQ(Cell(report, "wall time", 0), "2 min 10 s");
  // 100 pushes: (10 * 0 + 80 * 10 + 9 * 20 + 1 * 200) / 100 = 11.8; 99 of them do not exceed 20.
  EXPECT_EQ(Cell(report, "staleness, mean", 0), "11.8");
  EXPECT_EQ(Cell(report, "staleness, 99th percentile", 0), "20");
  EXPECT_THAT(PlainTable(report.results), HasSubstr("test frame accuracy, best"));
}

TEST(Report, QuantilesAreTheSmallestValueThatEnoughPushesDoNotExceed) {
  const LoggedRun run = Read(WriteRun("quantiles", "SGD", 0.4, 2));
  EXPECT_EQ(StalenessQuantile(run.staleness, 0.1), 0);
  EXPECT_EQ(StalenessQuantile(run.staleness, 0.11), 10);
  EXPECT_EQ(StalenessQuantile(run.staleness, 0.9), 10);
  EXPECT_EQ(StalenessQuantile(run.staleness, 1.0), 200);
}

TEST(Report, NotesThatARunIsStillGoingOn) {
  const LoggedRun run = Read(WriteRun("going_on", "ADADELTA", 0.4, 6));
  EXPECT_THAT(run.notes, ElementsAre("not at its budget: 1,000 of 5,400 updates"));
  EXPECT_THAT(MakeReport({run}).html, HasSubstr("going_on: not at its budget"));
}

TEST(Report, TakesARunThatHasOnlyJustBegunOrLostFiles) {
  const std::string directory = WriteRun("damaged", "ADADELTA", 0.4, 28);
  std::filesystem::remove(directory + "/staleness.csv");
  Write(directory + "/frame_accuracy.csv", "");
  LoggedRun run = Read(directory);
  EXPECT_THAT(run.notes, ElementsAre(HasSubstr("frame_accuracy.csv: no line yet"), HasSubstr("staleness.csv"),
                                     HasSubstr("not at its budget: 0 of 5,400")));
  const Report report = MakeReport({run});
  EXPECT_EQ(NestingFault(report.html), "");
  EXPECT_THAT(report.html, HasSubstr("nothing to draw yet"));
  EXPECT_EQ(Cell(report, "test frame accuracy, final", 0), "–");
  EXPECT_EQ(Cell(report, "staleness, mean", 0), "–");

  Write(directory + "/run.textproto", "optimiser { }");
  run = Read(directory);
  EXPECT_EQ(run.name, "damaged");
  EXPECT_THAT(run.notes[0], HasSubstr("run.textproto:1:"));
}

TEST(Report, LeavesOutWhatCannotBeACount) {
  const std::string directory = WriteRun("not_counts", "ADADELTA", 0.4, 28);
  Write(directory + "/staleness.csv", "staleness,pushes\n30,2\n-4,1\n1e30,1\n5,-1\n10,2\n2.5,1\n");
  const LoggedRun run = Read(directory);
  EXPECT_THAT(run.notes, ElementsAre("staleness.csv: 4 lines left out: not counts"));
  EXPECT_EQ(StalenessMean(run.staleness), 20);
  EXPECT_EQ(StalenessQuantile(run.staleness, 0.5), 10);
  EXPECT_EQ(NestingFault(MakeReport({run}).html), "");
}

TEST(Report, SaysWhichFolderIsNoRun) {
  const absl::StatusOr<LoggedRun> run = ReadRun(::testing::TempDir() + "/report_test/no_such_run");
  EXPECT_TRUE(absl::IsNotFound(run.status()));
  EXPECT_THAT(run.status().message(), HasSubstr("no_such_run"));
}

TEST(Report, TellsRunsOfOneNameApart) {
  LoggedRun first = Read(WriteRun("first", "ADADELTA", 0.4, 28)),
            second = Read(WriteRun("second", "ADADELTA", 0.4, 28));
  first.name = second.name = "same";
  const Report report = MakeReport({first, second});
  EXPECT_NE(report.results.header[1], report.results.header[2]);
}

TEST(Report, ReadsALogOfAnOlderHeaderWithTheMissingColumnsEmpty) {
  const std::string directory = WriteRun("older", "ADADELTA", 0.4, 0);
  Write(directory + "/frame_accuracy.csv",
        "updates,frames,epoch,train_loss,test_loss,test_frame_accuracy\n200,20000,0.5,4,3,0.25\n"
        "5400,540000,1,3,2,0.5\n");
  const LoggedRun run = Read(directory);
  EXPECT_THAT(run.notes, IsEmpty());
  const Report report = MakeReport({run});
  EXPECT_EQ(NestingFault(report.html), "");
  EXPECT_EQ(Cell(report, "updates", 0), "5,400");
  EXPECT_EQ(Cell(report, "test frame accuracy, final", 0), "50.0 %");
  for (const char* missing : {"test, non-silence frames, final", "human test frame accuracy, final",
                              "gradient noise scale, frames", "pushes rejected", "wall time"}) {
    EXPECT_EQ(Cell(report, missing, 0), "–") << missing;
  }
}

TEST(Report, LeavesTheHumanFigureOutWhereThereIsNoHumanTestSet) {
  const std::string directory = WriteRun("no_human", "ADADELTA", 0.4, 0);
  Write(directory + "/frame_accuracy.csv",
        std::string(kHeader) + "1,2,5400,540000,1,,3,0.5,20,19,41,0,,,,\n");
  const Report report = MakeReport({Read(directory)});
  EXPECT_THAT(report.html,
              AllOf(Not(HasSubstr("human speaker")), HasSubstr("Figure 4."), Not(HasSubstr("Figure 5."))));
}

}  // namespace
}  // namespace downpour
