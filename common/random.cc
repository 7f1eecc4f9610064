// Where on the data's way: in every room; SplitMix64, and the distributions made from its 64-bit numbers.
#include "common/random.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace downpour {
namespace {

constexpr uint64_t kGamma = 0x9e3779b97f4a7c15;

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

uint64_t RandomAt(uint64_t seed, uint64_t n) { return Mix(Mix(seed) + (n + 1) * kGamma); }

Random::Random(uint64_t seed, uint64_t stream) : state_(Mix(Mix(seed) + stream * kGamma)) {}

Random Random::FromState(uint64_t state) {
  Random random;
  random.state_ = state;
  return random;
}

uint64_t Random::Next() { return Mix(state_ += kGamma); }

double Random::Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

uint64_t Random::Below(uint64_t bound) {
  const uint64_t reject_below = -bound % bound;
  for (;;) {
    const uint64_t value = Next();
    if (value >= reject_below) return value % bound;
  }
}

double Random::Normal() {
  // Box-Muller. The second value of each pair is not used, since a checkpoint would have to keep it.
  const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
  return radius * std::cos(2 * std::numbers::pi * Uniform());
}

double Random::Exponential() { return -std::log(1 - Uniform()); }

double Random::LogNormal(double sigma) { return std::exp(sigma * Normal()); }

void Random::Shuffle(absl::Span<uint32_t> values) {
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[Below(i)]);
}

}  // namespace downpour
