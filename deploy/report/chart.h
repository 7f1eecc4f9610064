// Where on the data's way: at its end; draws a figure of the report as an <svg> element: lines, rows of dots
// or a histogram.
#ifndef DOWNPOUR_DEPLOY_REPORT_CHART_H_
#define DOWNPOUR_DEPLOY_REPORT_CHART_H_

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace downpour {

// The color of a line that the others are compared with, e.g. what a constant guess scores. It is grey and
// has no dots.
constexpr int kBaseline = -1;

// Lines over a common pair of axes. A value.
struct LineChart {
  struct Line {
    std::string name;  // in the legend and, cut at its first comma where it is long, at the line's end
    int color = 0;     // from 0, lines of one run share it; or kBaseline
    bool dashed = false;
    std::vector<std::pair<double, double>> points;  // (x, y), x ascending
  };
  std::string title;
  std::string subtitle;
  std::string x_label;  // with its unit
  std::string y_label;
  double y_most = std::numeric_limits<double>::infinity();  // larger values are drawn here, at the top
  bool fractions = false;                                   // y is in [0, 1], drawn as per cent from 0
  bool from_zero = false;                                   // the y axis
  bool log_x = false;                                       // x is above 0, with a tick at each point's
  std::vector<Line> lines;
};

// Dots in rows, one row a setting and one colour a series. A value.
struct DotChart {
  struct Dot {
    std::string name;  // of the series, in the legend
    int color = 0;
    double x = 0;  // in [0, 1], drawn as per cent from 0
  };
  struct Row {
    std::string name;
    std::vector<Dot> dots;
  };
  std::string title;
  std::string subtitle;
  std::string x_label;
  std::vector<Row> rows;  // from the top
};

// Bars over equal-width bins. A value.
struct Histogram {
  std::string title;
  std::string x_label;
  std::string y_label;
  int color = 0;
  double largest = 0;  // value that the x axis reaches to, at least; the same for figures to be compared
  std::vector<std::pair<double, double>> counts;      // (value, how often), values whole and ascending
  std::vector<std::pair<std::string, double>> marks;  // name and value, drawn as upright lines
};

// An <svg> element without its style, which DrawingStyle() gives. Each point and bar says its value when
// hovered over. With nothing to draw, the axes say so.
std::string Draw(const LineChart& chart);
std::string Draw(const DotChart& chart);
std::string Draw(const Histogram& histogram);

// CSS for the elements that Draw() makes. Colours are Okabe and Ito's, told apart by all common kinds of
// colour vision. With `dark`, a dark scheme follows for readers who prefer one.
std::string DrawingStyle(bool dark);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_CHART_H_
