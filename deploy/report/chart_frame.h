// Where on the data's way: the report's pictures; the marks of any kind of chart come in, and titles, axes,
// grid and legend are drawn around them.
#ifndef DOWNPOUR_DEPLOY_REPORT_CHART_FRAME_H_
#define DOWNPOUR_DEPLOY_REPORT_CHART_FRAME_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "deploy/report/axis.h"

namespace downpour {

// The color of a line that the others are compared with, e.g. what a constant guess scores. It is grey and
// has no dots.
constexpr int kBaseline = -1;

// The parts around a chart's marks. All lengths are in pixels; y grows downwards from the top. A value.
struct ChartFrame {
  struct LegendEntry {
    std::string name;
    std::string classes;  // CSS classes of its sample line
  };
  ChartFrame(std::string title, std::string subtitle, std::string x_label, std::string y_label)
      : title(std::move(title)),
        subtitle(std::move(subtitle)),
        x_label(std::move(x_label)),
        y_label(std::move(y_label)) {}

  std::string title, subtitle, x_label, y_label;
  Axis x_axis, y_axis;
  bool y_ticks = true;  // whether the y axis has ticks and grid lines
  std::vector<LegendEntry> legend;
  double width = 760;
  double right_margin = 24;  // room for labels at the ends of lines

  double left_margin = 66;  // room for labels of the y axis
  double height = 300;      // of the area between the axes

  double left() const { return left_margin; }
  double right() const { return width - right_margin; }
  double top() const;  // lower, the more rows the legend has
  double bottom() const { return top() + height; }
  double X(double value) const { return x_axis.Pixel(value, left(), right()); }
  double Y(double value) const { return y_axis.Pixel(value, bottom(), top()); }

  // The <svg> element around `marks` (SVG elements), which are drawn over the grid.
  std::string Draw(absl::string_view marks) const;
  // The same, with a sentence in the middle that says that there is nothing to draw yet.
  std::string DrawEmpty() const;
};

// The CSS class that gives strokes (`kind` 's') or fills ('f') the color of a run or of a baseline.
std::string ColorClass(char kind, int color);
// About how many pixels wide a text is in the figures' usual size. It is wide enough for most fonts.
double TextWidth(absl::string_view text);
// A <line> element with these CSS classes.
std::string StraightLine(absl::string_view classes, double x1, double y1, double x2, double y2);
// A <text> element; `anchor` says which part of the text is at x: start, middle or end.
std::string Text(double x, double y, absl::string_view anchor, absl::string_view classes,
                 absl::string_view text);

// CSS for the elements of all charts. Colors are Okabe and Ito's, which people with any common kind of color
// vision can tell apart. With `dark`, a dark scheme follows for readers who prefer one.
std::string DrawingStyle(bool dark);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_CHART_FRAME_H_
