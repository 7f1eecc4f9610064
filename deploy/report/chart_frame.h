// Where on the data's way: at its end; what lines and histograms have in common: titles, axes, grid, legend.
#ifndef DOWNPOUR_DEPLOY_REPORT_CHART_FRAME_H_
#define DOWNPOUR_DEPLOY_REPORT_CHART_FRAME_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "deploy/report/axis.h"

namespace downpour {

// Pixels, y downwards from the top. A value.
struct ChartFrame {
  struct LegendEntry {
    std::string name;
    std::string classes;  // of the sample line
  };
  ChartFrame(std::string title, std::string subtitle, std::string x_label, std::string y_label)
      : title(std::move(title)),
        subtitle(std::move(subtitle)),
        x_label(std::move(x_label)),
        y_label(std::move(y_label)) {}

  std::string title, subtitle, x_label, y_label;
  Axis x_axis, y_axis;
  bool y_ticks = true;
  std::vector<LegendEntry> legend;
  double width = 760;
  double right_margin = 24;  // room for labels at the ends of lines

  double left_margin = 66;  // room for labels of the y axis
  double height = 300;      // of the drawing itself

  double left() const { return left_margin; }
  double right() const { return width - right_margin; }
  double top() const;  // grows with the legend's rows
  double bottom() const { return top() + height; }
  double X(double value) const { return x_axis.Pixel(value, left(), right()); }
  double Y(double value) const { return y_axis.Pixel(value, bottom(), top()); }

  // The <svg> element around `marks`, which lie over the grid.
  std::string Draw(absl::string_view marks) const;
};

// The class that gives strokes ('s') or fills ('f') the colour of a run or of a baseline.
std::string ColorClass(char kind, int color);
// About the width of text in the figures' usual size, in pixels: enough for a wide font.
double TextWidth(absl::string_view text);
// A <text> element; `anchor` is start, middle or end.
std::string Text(double x, double y, absl::string_view anchor, absl::string_view classes,
                 absl::string_view text);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_CHART_FRAME_H_
