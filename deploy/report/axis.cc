// Where on the data's way: at its end; one axis of a figure: its ends, ticks, and where a value falls.
#include "deploy/report/axis.h"

#include <algorithm>
#include <cmath>

#include "deploy/report/format.h"

namespace downpour {

Axis Axis::Covering(double low, double high, int ticks) {
  // A span below the last digits of its own ends could not be stepped through.
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

std::vector<double> Axis::Ticks() const {
  std::vector<double> ticks;
  const int steps = static_cast<int>((high - low) / step + 1e-6);
  for (int i = 0; i <= steps; ++i) ticks.push_back(low + i * step);
  return ticks;
}

std::string Axis::Label(double tick) const {
  return Number(tick, std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))));
}

}  // namespace downpour
