// Where on the data's way: at its end; one axis of a figure: its ends, ticks, and where a value falls.
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
  std::vector<double> values = {};  // of a logarithmic axis: its ticks, above 0 and ascending

  // Covers [low, high] with about `ticks` steps and ends on ticks. Any finite values with low <= high.
  static Axis Covering(double low, double high, int ticks);
  // Logarithmic; a little wider than the values, of which there is at least one, all above 0.
  static Axis Logarithmic(std::vector<double> values);

  std::vector<double> Ticks() const;  // low, low + step, ... up to high; or the values
  std::string Label(double tick) const;
  // The pixel of `value`, where `low` falls on `pixel_low` and `high` on `pixel_high`.
  double Pixel(double value, double pixel_low, double pixel_high) const;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_AXIS_H_
