// Where on the data's way: the report's pictures; numbers by setting come in, an <svg> element with a row of
// dots for each setting goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_DOT_CHART_H_
#define DOWNPOUR_DEPLOY_REPORT_DOT_CHART_H_

#include <string>
#include <vector>

namespace downpour {

// Dots in rows: one row a setting, e.g. a kind of noise, and one color a series, e.g. an optimizer. A value.
struct DotChart {
  struct Dot {
    std::string name;  // of the series, in the legend
    int color = 0;
    double x = 0;  // in [0, 1]; it is drawn as per cent, and the x axis begins at 0
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

// An <svg> element without its style, which DrawingStyle() gives. Each dot tells its value when hovered over.
// Without a dot to draw, the picture says so.
std::string Draw(const DotChart& chart);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_DOT_CHART_H_
