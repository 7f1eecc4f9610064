// Where on the data's way: inside the update rules; what they do at both ends of float32.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_FLOAT_RANGE_H_
#define DOWNPOUR_SERVER_OPTIMIZER_FLOAT_RANGE_H_

#include <bit>
#include <cstdint>
#include <limits>

namespace downpour {

// `value` with its magnitude (infinity included) limited to `limit`. On the bits, whose order is that of
// magnitudes: GCC 12 makes one vector instruction of an integer minimum, but a dozen of a float one (ADADELTA
// then takes 3 times as long).
inline float LimitMagnitude(float value, float limit) {
  constexpr uint32_t kSign = 0x80000000u;
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & ~kSign;
  const uint32_t limit_bits = std::bit_cast<uint32_t>(limit);
  return std::bit_cast<float>((magnitude < limit_bits ? magnitude : limit_bits) | (bits & kSign));
}

// A sum that overflowed becomes the largest float of its sign, from where later gradients can bring it back;
// infinity would stay, and turn into NaN. Exact for every finite value.
inline float Saturate(float value) { return LimitMagnitude(value, std::numeric_limits<float>::max()); }

// Rules that square the gradient see one of at most 1.8446743e19, the largest float whose square is finite.
// Limiting the square alone would leave a step of |g| / 1.8e19 times the right length.
inline float Squarable(float gradient) { return LimitMagnitude(gradient, 0x1.fffffep63f); }

// For state that decays by rho at each step. Of a unit that is never active again it would decay to a
// subnormal number that rounding then holds for ever (0.95 * 10 = 9.5 rounds to 10 of the smallest float),
// and arithmetic on those takes several times as long on most CPUs.
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
