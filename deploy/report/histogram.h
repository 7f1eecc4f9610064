// Where on the data's way: the report's pictures; counts, e.g. of a run's staleness, come in, an <svg>
// element with bars goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_HISTOGRAM_H_
#define DOWNPOUR_DEPLOY_REPORT_HISTOGRAM_H_

#include <string>
#include <utility>
#include <vector>

namespace downpour {

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

// An <svg> element without its style, which DrawingStyle() gives. Each bar tells its count when hovered over.
// Without a count to draw, the picture says so.
std::string Draw(const Histogram& histogram);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_HISTOGRAM_H_
