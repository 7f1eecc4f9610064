// Where on the data's way: the report's pictures; gives each row its line, and puts the dots on it.
#include "deploy/report/dot_chart.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/report/chart_frame.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr double kRowHeight = 26;

}  // namespace

std::string Draw(const DotChart& chart) {
  ChartFrame frame(chart.title, chart.subtitle, chart.x_label, "");
  frame.height = kRowHeight * std::max<double>(1, static_cast<double>(chart.rows.size()));
  double largest = 0;
  std::set<std::string> named;
  for (const DotChart::Row& row : chart.rows) {
    frame.left_margin = std::max(frame.left_margin, TextWidth(row.name) + 24);
    for (const DotChart::Dot& dot : row.dots) {
      largest = std::max(largest, 100 * dot.x);
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
      absl::StrAppendFormat(
          &marks, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5.5\"><title>%s</title></circle>\n",
          ColorClass('f', dot.color), frame.X(100 * dot.x), y,
          EscapeMarkup(absl::StrCat(row.name, ", ", dot.name, ": ", Percent(dot.x))));
    }
  }
  return frame.Draw(marks);
}

}  // namespace downpour
