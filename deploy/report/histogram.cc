// Where on the data's way: the report's pictures; sums the counts into at most kMostBins bars and draws the
// marks over them.
#include "deploy/report/histogram.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/report/chart_frame.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr double kMostBins = 48;

}  // namespace

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
