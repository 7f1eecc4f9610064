// Where on the data's way: the report's pictures; finds the axes that hold all values, then draws the marks.
#include "deploy/report/charts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/report/chart_frame.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr double kRowHeight = 26;      // of a dot chart
constexpr double kMostBins = 48;       // of a histogram
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
  for (size_t i = 0; i < line.ranges.size(); ++i) {
    const double at_x = frame.X(line.points[i].first);
    absl::StrAppend(&points, StraightLine(absl::StrCat("range ", ColorClass('s', line.color)), at_x,
                                          frame.Y(line.ranges[i].first * scale), at_x,
                                          frame.Y(line.ranges[i].second * scale)));
  }
  return absl::StrFormat("<path class=\"%s\" d=\"%s\"/>\n%s", LineClasses(line), path, points);
}

// Heights of labels, `wanted` where the lines end; moved apart, in this order, where two would overlap.
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
    if (!line.name.empty()) frame.legend.push_back({line.name, LineClasses(line)});
    frame.right_margin = std::max(frame.right_margin, TextWidth(EndLabel(chart, line)) + 2 * kLabelGap);
    for (const auto& [at_x, at_y] : line.points) {
      x.Add(at_x);
      y.Add(std::min(at_y, chart.y_most) * scale);
    }
    for (const auto& [low, high] : line.ranges) {
      y.Add(low * scale);
      y.Add(high * scale);
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

std::string Draw(const DotChart& chart) {
  ChartFrame frame(chart.title, chart.subtitle, chart.x_label, "");
  frame.height = kRowHeight * std::max<double>(1, static_cast<double>(chart.rows.size()));
  double largest = 0;
  std::set<std::string> named;
  for (const DotChart::Row& row : chart.rows) {
    frame.left_margin = std::max(frame.left_margin, TextWidth(row.name) + 24);
    for (const DotChart::Dot& dot : row.dots) {
      largest = std::max(largest, 100 * dot.high);
      if (named.insert(dot.name).second)
        frame.legend.push_back({dot.name, absl::StrCat("line ", ColorClass('s', dot.color))});
    }
  }
  if (named.empty()) return frame.DrawEmpty();
  frame.x_axis = Axis::Covering(0, largest, 8);
  frame.y_ticks = false;  // a row has a name, which is drawn below instead
  std::string marks;
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const DotChart::Row& row = chart.rows[i];
    const double y = frame.top() + (static_cast<double>(i) + 0.5) * kRowHeight;
    absl::StrAppend(&marks, StraightLine("grid", frame.left(), y, frame.right(), y),
                    Text(frame.left() - 10, y + 4, "end", "label", row.name));
    for (const DotChart::Dot& dot : row.dots) {
      if (dot.low < dot.high)
        absl::StrAppend(&marks, StraightLine(absl::StrCat("range ", ColorClass('s', dot.color)),
                                             frame.X(100 * dot.low), y, frame.X(100 * dot.high), y));
      absl::StrAppendFormat(
          &marks, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5.5\"><title>%s</title></circle>\n",
          ColorClass('f', dot.color), frame.X(100 * dot.x), y,
          EscapeMarkup(absl::StrCat(row.name, ", ", dot.name, ": ", Percent(dot.x))));
    }
  }
  return frame.Draw(marks);
}

std::string Draw(const Histogram& histogram) {
  ChartFrame frame(histogram.title, "", histogram.x_label, histogram.y_label);
  frame.width = 500;
  double total = 0;
  for (const auto& [value, count] : histogram.counts) total += count;
  if (total == 0) return frame.DrawEmpty();
  const double largest = std::max(histogram.largest, histogram.counts.back().first);
  const double bin_width = std::ceil((largest + 1) / kMostBins);
  std::vector<double> bins(static_cast<size_t>(largest / bin_width) + 1);
  for (const auto& [value, count] : histogram.counts) bins[static_cast<size_t>(value / bin_width)] += count;

  frame.x_axis = Axis::Covering(0, bin_width * static_cast<double>(bins.size()), 6);
  frame.x_axis.high = bin_width * static_cast<double>(bins.size());
  frame.y_axis = Axis::Covering(0, 100 * *std::max_element(bins.begin(), bins.end()) / total, 5);
  std::string marks;
  for (size_t i = 0; i < bins.size(); ++i) {
    const double low = bin_width * static_cast<double>(i), share = bins[i] / total;
    const std::string values = bin_width == 1
                                   ? Number(low, 0)
                                   : absl::StrCat(Number(low, 0), " to ", Number(low + bin_width - 1, 0));
    absl::StrAppendFormat(
        &marks,
        "<rect class=\"bar %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s: %s "
        "(%s)</title></rect>\n",
        ColorClass('f', histogram.color), frame.X(low) + 0.5, frame.Y(100 * share),
        std::max(0.5, frame.X(low + bin_width) - frame.X(low) - 1), frame.bottom() - frame.Y(100 * share),
        values, WithThousands(std::llround(bins[i])), Percent(share));
  }
  double label_y = frame.top() + 10;
  for (const auto& [name, value] : histogram.marks) {
    // The bar of a value covers [value, value + 1), so the mark goes through its middle.
    const double x = frame.X(value + 0.5);
    const bool leftwards = x + TextWidth(name) + 10 > frame.right();
    absl::StrAppend(&marks, StraightLine("mark", x, frame.top(), x, frame.bottom()),
                    Text(leftwards ? x - 6 : x + 6, label_y, leftwards ? "end" : "start", "label", name));
    label_y += 16;
  }
  return frame.Draw(marks);
}

}  // namespace downpour
