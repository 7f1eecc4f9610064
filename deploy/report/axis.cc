// Where on the data's way: the report's pictures; rounds the step of an axis to 1, 2 or 5 times a power
// of ten.
#include "deploy/report/axis.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "deploy/report/format.h"

namespace downpour {

Axis Axis::Covering(double low, double high, int ticks) {
  // With a smaller span, a step would be lost in the rounding of the ends, and the ticks would never
  // reach `high`.
  const double smallest_span = std::max({std::abs(low), std::abs(high), 1e-9}) * 1e-9;
  const double span = high - low > smallest_span ? high - low : std::max(std::abs(high), 1.0);
  const double rough = span / ticks;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double ratio = rough / power;
  Axis axis;
  axis.step = power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
  axis.low = std::floor(low / axis.step + 1e-9) * axis.step;
  axis.high = std::ceil(std::max(high, axis.low + axis.step) / axis.step - 1e-9) * axis.step;
  return axis;
}

Axis Axis::Logarithmic(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  Axis axis;
  axis.low = values.front() / 1.15;
  axis.high = values.back() * 1.15;
  axis.values = std::move(values);
  return axis;
}

double Axis::Pixel(double value, double pixel_low, double pixel_high) const {
  const double share =
      values.empty() ? (value - low) / (high - low) : std::log(value / low) / std::log(high / low);
  return pixel_low + share * (pixel_high - pixel_low);
}

std::vector<double> Axis::Ticks() const {
  if (!values.empty()) return values;
  std::vector<double> ticks;
  const int steps = static_cast<int>((high - low) / step + 1e-6);
  for (int i = 0; i <= steps; ++i) ticks.push_back(low + i * step);
  return ticks;
}

std::string Axis::Label(double tick) const {
  if (!values.empty()) return Number(tick, 2);
  return Number(tick, std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))));
}

}  // namespace downpour
