// Where on the data's way: inside the update rules; what they do with values at the limits of float32.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_FLOAT_RANGE_H_
#define DOWNPOUR_SERVER_OPTIMIZER_FLOAT_RANGE_H_

#include <bit>
#include <cstdint>
#include <limits>

namespace downpour {

// `value`, which may be infinite, with its magnitude limited to `limit`. It compares bits, whose order is
// that of magnitudes: GCC 12 compiles an integer minimum to one vector instruction, but a float minimum to a
// dozen, with which ADADELTA takes 3 times as long.
inline float LimitMagnitude(float value, float limit) {
  constexpr uint32_t kSign = 0x80000000u;
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & ~kSign;
  const uint32_t limit_bits = std::bit_cast<uint32_t>(limit);
  return std::bit_cast<float>((magnitude < limit_bits ? magnitude : limit_bits) | (bits & kSign));
}

// A sum that overflowed becomes the largest float of its sign, from which later gradients can bring it back;
// infinity would stay and could turn into NaN. A finite value does not change.
inline float Saturate(float value) { return LimitMagnitude(value, std::numeric_limits<float>::max()); }

// Rules that square the gradient first limit it to 1.8446743e19 in magnitude, the largest float whose square
// is finite. If only the square were limited, a larger gradient g would step |g| / 1.8e19 times too far.
inline float Squarable(float gradient) { return LimitMagnitude(gradient, 0x1.fffffep63f); }

// 0 for a subnormal value, else the value: for state that decays by rho at each step. The state of a unit
// that is never active again would decay to a subnormal number and stay there, since rounding stops the decay
// (0.95 times 10 smallest floats is 9.5, which rounds to 10). Most CPUs are several times slower on them.
inline float FlushSubnormal(float value) {
  constexpr uint32_t kExponent = 0x7f800000u;
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits & kExponent) == 0 ? 0u : bits);
}

// (8): E[v^2]_t = rho E[v^2]_{t-1} + (1 - rho) v_t^2.
inline float DecayingMeanSquare(float rho, float mean_square, float value) {
  return FlushSubnormal(Saturate(rho * mean_square + (1 - rho) * (value * value)));
}

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_FLOAT_RANGE_H_
