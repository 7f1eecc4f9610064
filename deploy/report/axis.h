// Where on the data's way: the report's pictures; the values of one axis come in, pixels and tick labels
// go out.
#ifndef DOWNPOUR_DEPLOY_REPORT_AXIS_H_
#define DOWNPOUR_DEPLOY_REPORT_AXIS_H_

#include <string>
#include <vector>

namespace downpour {

// A linear axis whose ticks are multiples of 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers for
// graph labels", Graphics Gems, 1990), or a logarithmic one with ticks at given values. A value.
struct Axis {
  double low = 0;
  double high = 1;
  double step = 0.2;
  std::vector<double> values = {};  // ticks of a logarithmic axis, above 0 and ascending; empty: linear

  // A linear axis over [low, high] with about `ticks` steps, which begins and ends on a tick. `low` and
  // `high` are finite, low <= high.
  static Axis Covering(double low, double high, int ticks);
  // A logarithmic axis, a little wider than `values`. There is at least one value, and all are above 0.
  static Axis Logarithmic(std::vector<double> values);

  std::vector<double> Ticks() const;  // low, low + step, ... up to high; or `values`
  std::string Label(double tick) const;
  // The pixel of `value`, where `low` falls on `pixel_low` and `high` on `pixel_high`.
  double Pixel(double value, double pixel_low, double pixel_high) const;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_AXIS_H_
