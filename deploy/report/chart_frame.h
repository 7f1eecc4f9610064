// Where on the data's way: the report's pictures; the axes, grid and legend around the marks of any chart.
#ifndef DOWNPOUR_DEPLOY_REPORT_CHART_FRAME_H_
#define DOWNPOUR_DEPLOY_REPORT_CHART_FRAME_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace downpour {

// A linear axis whose ticks are multiples of 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers for
// graph labels", Graphics Gems, 1990), or a logarithmic one with ticks at given values. A value.
struct Axis {
  double low = 0;
  double high = 1;
  double step = 0.2;
  std::vector<double> values = {};  // ticks of a logarithmic axis, above 0 and ascending; empty: linear

  // A linear axis over [low, high], finite, low <= high: about `ticks` steps, a tick at each end.
  static Axis Covering(double low, double high, int ticks);
  // A logarithmic axis, a little wider than `values`. There is at least one value, and all are above 0.
  static Axis Logarithmic(std::vector<double> values);

  std::vector<double> Ticks() const;  // low, low + step, ... up to high; or `values`
  std::string Label(double tick) const;
  // The pixel of `value`, where `low` falls on `pixel_low` and `high` on `pixel_high`.
  double Pixel(double value, double pixel_low, double pixel_high) const;
};

// The color, grey, of a line without dots that others are compared with, e.g. what a constant guess scores.
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
  double left_margin = 66;   // room for labels of the y axis
  double height = 300;       // of the area between the axes

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
