// Where on the data's way: the report's pictures; numbers of runs come in, <svg> elements go out.
#ifndef DOWNPOUR_DEPLOY_REPORT_CHARTS_H_
#define DOWNPOUR_DEPLOY_REPORT_CHARTS_H_

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace downpour {

// Lines over a common pair of axes. A value.
struct LineChart {
  struct Line {
    // In the legend and, cut at its first comma where it is long, at the line's end. Empty: one of several lines
    // of a color, of which the first has the name.
    std::string name;
    int color = 0;  // from 0, lines of one run share it; or kBaseline of chart_frame.h
    bool dashed = false;
    std::vector<std::pair<double, double>> points;  // (x, y), x ascending
    // The least and the largest y at each point, drawn as an upright bar; or none at all.
    std::vector<std::pair<double, double>> ranges = {};
  };
  std::string title;
  std::string subtitle;
  std::string x_label;  // with its unit
  std::string y_label;
  bool fractions = false;  // y is in [0, 1]; it is drawn as per cent, and the y axis begins at 0
  bool from_zero = false;  // the y axis begins at 0
  bool log_x = false;      // the x axis is logarithmic, with a tick at each point's x; all x are above 0
  double y_most = std::numeric_limits<double>::infinity();  // larger values are drawn at this height
  std::vector<Line> lines = {};
};

// Dots in rows: one row a setting, e.g. a kind of noise, and one color a series, e.g. an optimizer. A value.
struct DotChart {
  struct Dot {
    std::string name;  // of the series, in the legend
    int color = 0;
    double x = 0;              // in [0, 1]; it is drawn as per cent, and the x axis begins at 0
    double low = x, high = x;  // drawn as a bar
  };
  struct Row {
    std::string name;
    std::vector<Dot> dots;
  };
  std::string title;
  std::string subtitle;
  std::string x_label;
  std::vector<Row> rows = {};  // from the top
};

// Bars over bins of one width. A value.
struct Histogram {
  std::string title;
  std::string x_label;
  std::string y_label;
  int color = 0;
  double largest = 0;  // the x axis reaches at least this value, so that several figures can be compared
  std::vector<std::pair<double, double>> counts = {};      // (value, how often), values whole and ascending
  std::vector<std::pair<std::string, double>> marks = {};  // name and value, drawn as upright lines
};

// An <svg> element without its style, which DrawingStyle() gives. Each point, dot or bar tells its value when
// hovered over. Without one to draw, the picture says so.
std::string Draw(const LineChart& chart);
std::string Draw(const DotChart& chart);
std::string Draw(const Histogram& histogram);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_CHARTS_H_
