// Where on the data's way: the report's pictures; finds the axes that hold all curves, draws each with its
// points, and spreads the labels at their ends.
#include "deploy/report/line_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/report/chart_frame.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr size_t kMostDots = 60;       // a longer curve shows its points only when hovered over
constexpr double kLabelDistance = 15;  // between the labels at the ends of two lines, upright
constexpr double kWidestLabel = 190;   // a longer one is cut
constexpr double kLabelGap = 9;        // from the end of a line to its label
constexpr double kGridGap = 5;         // from the end of the grid to a label
constexpr double kAxisGap = 10;        // from the middle of the lowest label down to the x axis

struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

std::string LineClasses(const LineChart::Line& line) {
  return absl::StrCat("line ", ColorClass('s', line.color), line.dashed ? " dashed" : "");
}

// How the reader sees a value of y.
std::string Value(const LineChart& chart, double y) { return chart.fractions ? Percent(y) : Number(y, 3); }

absl::string_view UntilComma(absl::string_view name) { return name.substr(0, name.find(',')); }

// The label at the end of a line: its name and last value. A long name is cut at its first comma. Where
// another line's name would then be the same, the label is the value alone. The line has at least one point.
std::string EndLabel(const LineChart& chart, const LineChart::Line& line) {
  const std::string value = Value(chart, line.points.back().second);
  const absl::string_view start = UntilComma(line.name);
  const bool own = std::count_if(chart.lines.begin(), chart.lines.end(), [&](const LineChart::Line& other) {
                     return UntilComma(other.name) == start;
                   }) == 1;
  std::string label = absl::StrCat(line.name, " ", value);
  if (TextWidth(label) > kWidestLabel && own) label = absl::StrCat(start, " ", value);
  return TextWidth(label) > kWidestLabel ? value : label;
}

std::string DrawCurve(const LineChart& chart, const LineChart::Line& line, const ChartFrame& frame,
                      double scale) {
  std::string path, points;
  const bool dots = line.color != kBaseline && line.points.size() <= kMostDots;
  for (const auto& [x, y] : line.points) {
    const double at_x = frame.X(x), at_y = frame.Y(std::min(y, chart.y_most) * scale);
    absl::StrAppendFormat(&path, "%c%.1f %.1f", path.empty() ? 'M' : 'L', at_x, at_y);
    absl::StrAppendFormat(
        &points, "<circle class=\"point %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>%s</title></circle>\n",
        ColorClass('f', line.color), at_x, at_y, dots ? "2.6" : "0.1",
        EscapeMarkup(
            absl::StrCat(line.name, ": ", Value(chart, y), "; ", chart.x_label, ": ", Number(x, 2))));
  }
  return absl::StrFormat("<path class=\"%s\" d=\"%s\"/>\n%s", LineClasses(line), path, points);
}

// Heights of labels, `wanted` where the lines end, moved apart where two labels would overlap. Keeps
// their order.
std::vector<double> SpreadLabels(const std::vector<double>& wanted, double top, double bottom) {
  std::vector<size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return wanted[a] < wanted[b]; });
  std::vector<double> placed = wanted;
  for (size_t i = 1; i < order.size(); ++i) {
    placed[order[i]] = std::max(wanted[order[i]], placed[order[i - 1]] + kLabelDistance);
  }
  double floor = bottom + kLabelDistance;
  for (size_t i = order.size(); i-- > 0;) {
    placed[order[i]] = std::max(top, std::min(placed[order[i]], floor - kLabelDistance));
    floor = placed[order[i]];
  }
  return placed;
}

}  // namespace

std::string Draw(const LineChart& chart) {
  const double scale = chart.fractions ? 100 : 1;
  ChartFrame frame(chart.title, chart.subtitle, chart.x_label, chart.y_label);
  Extent x, y;
  if (!chart.log_x) x.Add(0);
  if (chart.fractions || chart.from_zero) y.Add(0);
  std::vector<const LineChart::Line*> lines;
  for (const LineChart::Line& line : chart.lines) {
    if (line.points.empty()) continue;
    lines.push_back(&line);
    frame.legend.push_back({line.name, LineClasses(line)});
    frame.right_margin = std::max(frame.right_margin, TextWidth(EndLabel(chart, line)) + 2 * kLabelGap);
    for (const auto& [at_x, at_y] : line.points) {
      x.Add(at_x);
      y.Add(std::min(at_y, chart.y_most) * scale);
    }
  }
  if (lines.empty()) return frame.DrawEmpty();
  if (chart.log_x) {
    std::vector<double> values;
    for (const LineChart::Line* line : lines) {
      for (const auto& point : line->points) values.push_back(point.first);
    }
    frame.x_axis = Axis::Logarithmic(std::move(values));
  } else {
    frame.x_axis = Axis::Covering(x.low, x.high, 8);
    frame.x_axis.high = std::max(x.high, frame.x_axis.step / 2);
  }
  frame.y_axis = Axis::Covering(y.low, y.high, 6);

  std::string marks;
  std::vector<double> wanted;
  for (const LineChart::Line* line : lines) {
    absl::StrAppend(&marks, DrawCurve(chart, *line, frame, scale));
    wanted.push_back(frame.Y(std::min(line->points.back().second, chart.y_most) * scale));
  }
  const std::vector<double> placed = SpreadLabels(wanted, frame.top(), frame.bottom() - kAxisGap);
  for (size_t i = 0; i < lines.size(); ++i) {
    const double last = lines[i]->points.back().first;
    // A logarithmic axis and its grid reach a little further right than the last value.
    const double at = std::max(frame.X(last) + kLabelGap, last == x.high ? frame.right() + kGridGap : 0);
    absl::StrAppend(&marks,
                    Text(at, placed[i] + 4, "start", absl::StrCat("end ", ColorClass('f', lines[i]->color)),
                         EndLabel(chart, *lines[i])));
  }
  return frame.Draw(marks);
}

}  // namespace downpour
