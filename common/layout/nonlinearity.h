// Where on the data's way: shard (initial weights), network and report; what network.nonlinearity stands for.
#ifndef DOWNPOUR_COMMON_LAYOUT_NONLINEARITY_H_
#define DOWNPOUR_COMMON_LAYOUT_NONLINEARITY_H_

#include <cmath>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "proto/config.pb.h"

namespace downpour {

// sqrt(6 / (fan_in + fan_out)), the limit of Glorot and Bengio 2010 for uniform initial weights.
inline double GlorotLimit(double fan_in, double fan_out) { return std::sqrt(6 / (fan_in + fan_out)); }

// One struct for each value of NetworkDescription::Nonlinearity, a function y = f(z):
//   kName             what the report calls it
//   kByOneDnn         whether oneDNN computes f with the matrix product; if not, the layer computes Value(z)
//   TimesDerivative   gradient * f'(z), from y = f(z)
//   SecondDerivative  f''(z), from y = f(z)
//   WeightLimit       initial weights of hidden layers are uniform in [-WeightLimit, WeightLimit]
// f(NaN) must be NaN, so that a gradient that is not finite is noticed.

// max(z, 0); oneDNN's turns NaN into 0. Initial weights as in He et al. 2015.
struct RectifiedLinear {
  static constexpr absl::string_view kName = "rectified linear";
  static constexpr bool kByOneDnn = false;
  static float Value(float z) { return z < 0 ? 0 : z; }
  static float TimesDerivative(float y, float gradient) { return y <= 0 ? 0 : gradient; }
  static float SecondDerivative(float /*y*/) { return 0; }
  static double WeightLimit(double fan_in, double /*fan_out*/) { return std::sqrt(6 / fan_in); }
};

// 1 / (1 + e^-z)
struct Logistic {
  static constexpr absl::string_view kName = "logistic";
  static constexpr bool kByOneDnn = true;
  static float TimesDerivative(float y, float gradient) { return gradient * (y * (1 - y)); }
  static float SecondDerivative(float y) { return y * (1 - y) * (1 - 2 * y); }
  static double WeightLimit(double fan_in, double fan_out) { return 4 * GlorotLimit(fan_in, fan_out); }
};

struct Tanh {
  static constexpr absl::string_view kName = "tanh";
  static constexpr bool kByOneDnn = true;
  static float TimesDerivative(float y, float gradient) { return gradient * (1 - y * y); }
  static float SecondDerivative(float y) { return -2 * y * (1 - y * y); }
  static double WeightLimit(double fan_in, double fan_out) { return GlorotLimit(fan_in, fan_out); }
};

// Returns use(f), with f the struct of `nonlinearity`.
template <typename Use>
auto WithNonlinearity(NetworkDescription::Nonlinearity nonlinearity, Use use) {
  switch (nonlinearity) {
    case NetworkDescription::RELU:
      return use(RectifiedLinear());
    case NetworkDescription::LOGISTIC:
      return use(Logistic());
    case NetworkDescription::TANH:
      return use(Tanh());
  }
  DOWNPOUR_CHECK(false);  // proto2 parses no other value
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_LAYOUT_NONLINEARITY_H_
