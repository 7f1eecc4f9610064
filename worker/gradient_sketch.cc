// Where on the data's way: beside the push; a gradient in a few numbers, for the measure of gradient noise.
#include "worker/gradient_sketch.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "common/finite.h"
#include "common/random.h"

namespace downpour {
namespace {

constexpr uint64_t kSeed = 0x736b65746368;  // of the projection
constexpr size_t kSignsAtOnce = 64;         // bits of one random number
constexpr size_t kSignGroups = kGradientSketchSize / kSignsAtOnce;
static_assert(kGradientSketchSize % kSignsAtOnce == 0);

// `value` with its sign flipped where bit `i` of `signs` is set.
float Signed(float value, uint64_t signs, size_t i) {
  const auto flip = static_cast<uint32_t>(signs >> i) << 31;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) ^ flip);
}

}  // namespace

std::vector<float> SketchGradient(absl::Span<const float> gradient) {
  std::vector<float> sketch(kGradientSketchSize);
  for (size_t begin = 0, group = 0; begin < gradient.size(); begin += kSignsAtOnce, ++group) {
    const absl::Span<const float> part = gradient.subspan(begin, kSignsAtOnce);
    const uint64_t signs = RandomAt(kSeed, group);
    float* const buckets = &sketch[group % kSignGroups * kSignsAtOnce];
    for (size_t i = 0; i < part.size(); ++i) buckets[i] += Signed(part[i], signs, i);
  }
  return AllFinite(sketch) ? sketch : std::vector<float>();
}

}  // namespace downpour
