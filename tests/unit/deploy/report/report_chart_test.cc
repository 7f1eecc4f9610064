// Where on the data's way: the report's pictures, under test: ticks, numbers, and where a drawing puts
// its points.
#include <regex>

#include "deploy/report/chart_frame.h"
#include "deploy/report/charts.h"
#include "deploy/report/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Labels(const Axis& axis) {
  std::vector<std::string> labels;
  for (double tick : axis.Ticks()) labels.push_back(axis.Label(tick));
  return labels;
}

TEST(ReportAxis, TicksAreRoundNumbersAroundTheValues) {
  EXPECT_THAT(Labels(Axis::Covering(0, 47.3, 6)), ElementsAre("0", "10", "20", "30", "40", "50"));
  EXPECT_THAT(Labels(Axis::Covering(0, 5400, 6)),
              ElementsAre("0", "1,000", "2,000", "3,000", "4,000", "5,000", "6,000"));
  EXPECT_THAT(Labels(Axis::Covering(2.05, 8.55, 6)), ElementsAre("2", "3", "4", "5", "6", "7", "8", "9"));
  EXPECT_THAT(Labels(Axis::Covering(-0.03, 0.05, 4)),
              ElementsAre("-0.04", "-0.02", "0", "0.02", "0.04", "0.06"));
  EXPECT_THAT(Labels(Axis::Covering(0, 0.5, 5)), ElementsAre("0", "0.1", "0.2", "0.3", "0.4", "0.5"));
}

TEST(ReportAxis, TakesOneValueAndExtremes) {
  for (double value : {0.0, 1.0, -3.0, 1e-12, 1e12, 1e300}) {
    const Axis axis = Axis::Covering(value, value, 6);
    EXPECT_LE(axis.low, value);
    EXPECT_GE(axis.high, value);
    EXPECT_GT(axis.high, axis.low) << value;
    EXPECT_LE(axis.Ticks().size(), 20u) << value;
  }
}

TEST(ReportAxis, ALogarithmicOneHasItsTicksAtTheValuesAndEqualFactorsEquallyFarApart) {
  const Axis axis = Axis::Logarithmic({100, 1, 10, 10});
  EXPECT_THAT(Labels(axis), ElementsAre("1", "10", "100"));
  EXPECT_NEAR(axis.Pixel(10, 0, 1000) - axis.Pixel(1, 0, 1000),
              axis.Pixel(100, 0, 1000) - axis.Pixel(10, 0, 1000), 1e-9);
  EXPECT_GT(axis.Pixel(1, 0, 1000), 0);
  EXPECT_LT(axis.Pixel(100, 0, 1000), 1000);
  const Axis one = Axis::Logarithmic({7});
  EXPECT_NEAR(one.Pixel(7, 0, 1000), 500, 1e-9);
}

TEST(ReportFormat, WritesNumbersForPeople) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(-1000), "-1,000");
  EXPECT_EQ(WithThousands(1234567), "1,234,567");
  EXPECT_EQ(Number(1234.50, 2), "1,234.5");
  EXPECT_EQ(Number(100, 0), "100");
  EXPECT_EQ(Number(-0.001, 2), "0");
  EXPECT_EQ(Number(-0.25, 2), "-0.25");
  EXPECT_EQ(Percent(0.6123), "61.2 %");
  EXPECT_EQ(Seconds(93.4), "93 s");
  EXPECT_EQ(Seconds(200), "3 min 20 s");
  EXPECT_EQ(Seconds(7300), "2 h 1 min");
  EXPECT_EQ(EscapeMarkup("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
}

// The centres of the circles in `svg`, in order.
std::vector<std::pair<double, double>> Centres(const std::string& svg) {
  const std::regex circle("<circle[^>]* cx=\"([0-9.-]+)\" cy=\"([0-9.-]+)\"");
  std::vector<std::pair<double, double>> centres;
  for (std::sregex_iterator match(svg.begin(), svg.end(), circle), end; match != end; ++match) {
    centres.emplace_back(std::stod((*match)[1]), std::stod((*match)[2]));
  }
  return centres;
}

long Occurrences(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  return std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator());
}

TEST(ReportChart, PutsDotsInTheirRowsAtTheirValues) {
  DotChart chart;
  chart.rows = {{"quiet", {{"a", 0, 0.4}, {"b", 1, 0.2}}}, {"loud", {{"a", 0, 0.1}}}};
  const std::string svg = Draw(chart);
  const auto centres = Centres(svg);
  ASSERT_EQ(centres.size(), 3u);
  EXPECT_EQ(centres[0].second, centres[1].second);
  EXPECT_GT(centres[2].second, centres[0].second);
  EXPECT_NEAR(centres[0].first - centres[1].first, 2 * (centres[1].first - centres[2].first), 0.2);
  EXPECT_THAT(svg, AllOf(HasSubstr("loud, a: 10.0 %"), HasSubstr(">quiet<"), HasSubstr(">b<")));
  EXPECT_THAT(Draw(DotChart()), HasSubstr("nothing to draw yet"));
}

TEST(ReportChart, PutsPointsInProportionToTheirValues) {
  LineChart chart;
  chart.fractions = true;
  chart.lines = {{"run", 0, false, {{0, 0}, {250, 0.25}, {1000, 0.5}}}};
  const auto centres = Centres(Draw(chart));
  ASSERT_EQ(centres.size(), 3u);
  // 250 is a quarter of the way to 1000, and 0.25 half of the way to 0.5; pixels grow downwards.
  EXPECT_NEAR(centres[1].first, centres[0].first + (centres[2].first - centres[0].first) / 4, 0.11);
  EXPECT_NEAR(centres[1].second, (centres[0].second + centres[2].second) / 2, 0.11);
  EXPECT_LT(centres[2].second, centres[0].second);
}

TEST(ReportChart, DrawsOutliersAtTheLimitAndTellsTheirValue) {
  LineChart chart;
  chart.y_most = 10;
  chart.lines = {{"run", 0, false, {{0, 10}, {1, 1000}, {2, 5}}}};
  const std::string svg = Draw(chart);
  const auto centres = Centres(svg);
  ASSERT_EQ(centres.size(), 3u);
  EXPECT_EQ(centres[1].second, centres[0].second);
  EXPECT_GT(centres[2].second, centres[0].second);
  EXPECT_THAT(svg, HasSubstr("run: 1,000;"));
}

TEST(ReportChart, NamesEachLineAtItsEndAndEachPointWhenHoveredOver) {
  LineChart chart;
  chart.fractions = true;
  chart.x_label = "updates";
  chart.lines = {{"a<b", 0, false, {{0, 0.1}, {1200, 0.473}}}, {"empty", 1, false, {}}};
  const std::string svg = Draw(chart);
  EXPECT_THAT(svg, HasSubstr(">a&lt;b 47.3 %</text>"));
  EXPECT_THAT(svg, HasSubstr("<title>a&lt;b: 47.3 %; updates: 1,200</title>"));
  EXPECT_THAT(svg, Not(HasSubstr("empty")));
}

TEST(ReportChart, LabelsOfLinesThatEndTogetherDoNotOverlap) {
  LineChart chart;
  for (int i = 0; i < 4; ++i) chart.lines.push_back({"run", i, false, {{0, 8}, {100, 2 + 0.001 * i}}});
  const std::string svg = Draw(chart);
  const std::regex label("<text class=\"end [^>]* y=\"([0-9.]+)\"");
  std::vector<double> heights;
  for (std::sregex_iterator match(svg.begin(), svg.end(), label), end; match != end; ++match) {
    heights.push_back(std::stod((*match)[1]));
  }
  ASSERT_EQ(heights.size(), 4u);
  std::sort(heights.begin(), heights.end());
  for (int i = 1; i < 4; ++i) EXPECT_GE(heights[i] - heights[i - 1], 12);
}

TEST(ReportChart, ABaselineIsGreyAndHasNoDotsButADashedLineHasThem) {
  LineChart chart;
  chart.lines = {{"baseline", kBaseline, true, {{0, 0.9}, {100, 0.9}}},
                 {"dashed", 1, true, {{0, 1}, {50, 1.1}, {100, 1.2}}}};
  const std::string svg = Draw(chart);
  EXPECT_THAT(svg,
              AllOf(HasSubstr("<path class=\"line sg dashed\""), HasSubstr("<line class=\"line sg dashed\""),
                    HasSubstr("<text class=\"end fg\""), HasSubstr("<path class=\"line s1 dashed\"")));
  EXPECT_EQ(Occurrences(svg, "<circle class=\"point fg\"[^>]* r=\"0.1\""), 2);
  EXPECT_EQ(Occurrences(svg, "<circle class=\"point f1\"[^>]* r=\"2.6\""), 3);
  EXPECT_THAT(DrawingStyle(/*dark=*/false), HasSubstr(".sg{stroke:#767676}"));
  EXPECT_EQ(Occurrences(DrawingStyle(/*dark=*/true), "[.]sg[{]stroke:"), 2);
}

TEST(ReportChart, ALongNameIsCutAtItsFirstCommaAtTheEndOfItsLineUnlessThatIsAmbiguous) {
  LineChart chart;
  chart.lines = {{"MOMENTUM, learning rate 0.001, ρ 0.95", 0, false, {{1, 2}, {200, 3}}},
                 {"SGD, learning rate 0.0001", 1, false, {{1, 5}, {200, 6}}},
                 {"SGD, learning rate 0.0002", 2, false, {{1, 8}, {200, 9}}}};
  const std::string svg = Draw(chart);
  EXPECT_THAT(svg,
              AllOf(HasSubstr(">MOMENTUM 3</text>"), HasSubstr(">6</text>"), HasSubstr(">9</text>"),
                    HasSubstr(">MOMENTUM, learning rate 0.001, ρ 0.95</text>"), Not(HasSubstr(">SGD 6<"))));
}

TEST(ReportChart, LabelsOfLinesThatEndAtZeroTouchNeitherTheAxisNorTheGrid) {
  LineChart chart;
  chart.log_x = true;
  chart.from_zero = true;
  for (int i = 0; i < 3; ++i) chart.lines.push_back({"run", i, false, {{1, 8}, {200, 0}}});
  const std::string svg = Draw(chart);
  const std::regex label("<text class=\"end [^>]* x=\"([0-9.]+)\" y=\"([0-9.]+)\"");
  const std::regex grid("<line class=\"grid\" [^>]* x2=\"([0-9.]+)\" y2=\"([0-9.]+)\"");
  std::smatch lowest_grid_line;  // the first that is drawn: that of 0, where the axis is
  ASSERT_TRUE(std::regex_search(svg, lowest_grid_line, grid));
  ASSERT_EQ(Occurrences(svg, "<text class=\"end "), 3);
  for (std::sregex_iterator match(svg.begin(), svg.end(), label), end; match != end; ++match) {
    EXPECT_GT(std::stod((*match)[1]), std::stod(lowest_grid_line[1]) + 4);
    EXPECT_LT(std::stod((*match)[2]), std::stod(lowest_grid_line[2]) - 4);
  }
}

TEST(ReportChart, SaysWhereThereIsNothingToDraw) {
  EXPECT_THAT(Draw(LineChart()), HasSubstr("nothing to draw yet"));
  EXPECT_THAT(Draw(Histogram()), HasSubstr("nothing to draw yet"));
}

TEST(ReportChart, HistogramBarsHoldEveryCountOnce) {
  Histogram histogram;
  double total = 0;
  for (int value = 0; value <= 137; value += 3) {
    histogram.counts.emplace_back(value, value + 1);
    total += value + 1;
  }
  const std::string svg = Draw(histogram);
  const std::regex bar("<title>[0-9]+(?: to [0-9]+)?: ([0-9,]+) ");
  double seen = 0;
  for (std::sregex_iterator match(svg.begin(), svg.end(), bar), end; match != end; ++match) {
    std::string count = (*match)[1];
    count.erase(std::remove(count.begin(), count.end(), ','), count.end());
    seen += std::stod(count);
  }
  EXPECT_EQ(seen, total);
}

}  // namespace
}  // namespace downpour
