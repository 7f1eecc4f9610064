// Where on the data's way: the report, under test: the run folder's logs, whole and damaged.
#include "deploy/report/csv.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ReportCsv, ReadsNumbersUnderTheirNames) {
  const CsvTable table = ParseCsv("updates,loss,accuracy\n0,8.5,\n200,,0.25\n400,1e-3,0.125\n", "x.csv");
  EXPECT_THAT(table.columns, ElementsAre("updates", "loss", "accuracy"));
  EXPECT_THAT(table.notes, IsEmpty());
  EXPECT_THAT(table.Points("updates", "accuracy"), ElementsAre(Pair(200, 0.25), Pair(400, 0.125)));
  EXPECT_THAT(table.Points("updates", "loss"), ElementsAre(Pair(0, 8.5), Pair(400, 0.001)));
  EXPECT_EQ(table.Get(1, "loss"), std::nullopt);
  EXPECT_EQ(table.Get(1, "no such column"), std::nullopt);
  EXPECT_EQ(table.Last("accuracy"), 0.125);
  EXPECT_EQ(table.Max("accuracy"), 0.25);
}

TEST(ReportCsv, LeavesBrokenLinesOutAndNamesThem) {
  const CsvTable table = ParseCsv("a,b\n1,2\n3\n4,5,6\n7,eight\n10,11\n", "x.csv");
  EXPECT_THAT(table.Points("a", "b"), ElementsAre(Pair(1, 2), Pair(10, 11)));
  EXPECT_THAT(table.notes, ElementsAre(HasSubstr("x.csv:3: line left out: 1 fields where the header has 2"),
                                       HasSubstr("x.csv:4: line left out: 3 fields"),
                                       HasSubstr("x.csv:5: line left out: \"eight\"")));
}

TEST(ReportCsv, KeepsTheRestOfALineWithALossThatIsNotFinite) {
  const CsvTable table = ParseCsv("loss,accuracy\n2,0.5\nnan,0.25\ninf,0.125\n-nan,0.1\n", "x.csv");
  EXPECT_EQ(table.Last("loss"), 2);
  EXPECT_EQ(table.Last("accuracy"), 0.1);
  EXPECT_THAT(table.notes, IsEmpty());
}

TEST(ReportCsv, DoesNotBelieveALastLineWithoutItsNewline) {
  const CsvTable table = ParseCsv("a,b\n1,2\n3,0.61", "x.csv");
  EXPECT_THAT(table.Points("a", "b"), ElementsAre(Pair(1, 2)));
  EXPECT_THAT(table.notes, ElementsAre(HasSubstr("x.csv:3: line left out: it breaks off")));
}

TEST(ReportCsv, TakesEmptyAndHeaderOnlyFiles) {
  for (const char* text : {"", "\n", "a,b\n", "a,b"}) {
    const CsvTable table = ParseCsv(text, "x.csv");
    EXPECT_THAT(table.rows, IsEmpty()) << text;
    EXPECT_EQ(table.Last("a"), std::nullopt) << text;
    EXPECT_EQ(table.Max("a"), std::nullopt) << text;
    EXPECT_THAT(table.Points("a", "b"), IsEmpty()) << text;
  }
}

}  // namespace
}  // namespace downpour
