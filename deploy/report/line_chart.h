// Where on the data's way: the report's pictures; series of points come in, an <svg> element with curves
// goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_LINE_CHART_H_
#define DOWNPOUR_DEPLOY_REPORT_LINE_CHART_H_

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace downpour {

// Lines over a common pair of axes. A value.
struct LineChart {
  struct Line {
    std::string name;  // in the legend and, cut at its first comma where it is long, at the line's end
    int color = 0;     // from 0, lines of one run share it; or kBaseline of chart_frame.h
    bool dashed = false;
    std::vector<std::pair<double, double>> points;  // (x, y), x ascending
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

// An <svg> element without its style, which DrawingStyle() gives. Each point tells its value when hovered
// over. Without a point to draw, the picture says so.
std::string Draw(const LineChart& chart);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_LINE_CHART_H_
