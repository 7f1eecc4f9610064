// Where on the data's way: adds up a gradient's elements by bucket, each with a random sign.
#include "worker/replica/gradient_sketch.h"

#include <algorithm>
#include <bit>

#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/finite.h"
#include "common/tensor/simd_clones.h"

namespace downpour {
namespace {

constexpr uint64_t kSeed = 0x736b65746368;  // of the projection
constexpr size_t kSignsAtOnce = 64;         // bits of one random number
constexpr size_t kSignGroups = kGradientSketchSize / kSignsAtOnce;
static_assert(kGradientSketchSize % kSignsAtOnce == 0);

// sums[i] += values[i], with its sign flipped where bit `i` of `signs` is set.
DOWNPOUR_SIMD_CLONES
void AddSigned(const float* __restrict values, size_t n, uint64_t signs, float* __restrict sums) {
  constexpr size_t kHalf = 32;  // a vector unit shifts as many 32-bit numbers at once as it adds floats
  for (size_t half = 0; half < n; half += kHalf) {
    const auto bits = static_cast<uint32_t>(signs >> half);
    const size_t end = n - half < kHalf ? n - half : kHalf;
    for (size_t i = 0; i < end; ++i) {
      const uint32_t flip = bits >> i << 31;
      sums[half + i] += std::bit_cast<float>(std::bit_cast<uint32_t>(values[half + i]) ^ flip);
    }
  }
}

}  // namespace

std::vector<float> SketchGradient(TensorView gradient) {
  std::vector<float> sketch(kGradientSketchSize);
  float widened[kSignsAtOnce];
  for (size_t begin = 0, group = 0; begin < gradient.size(); begin += kSignsAtOnce, ++group) {
    absl::Span<const float> part;
    if (gradient.is_bfloat16()) {
      const absl::Span<const uint16_t> rounded = gradient.bfloats().subspan(begin, kSignsAtOnce);
      FromBfloat16(rounded, absl::MakeSpan(widened, rounded.size()));
      part = absl::MakeConstSpan(widened, rounded.size());
    } else {
      part = gradient.floats().subspan(begin, kSignsAtOnce);
    }
    float* const buckets = &sketch[group % kSignGroups * kSignsAtOnce];
    AddSigned(part.data(), part.size(), RandomAt(kSeed, group), buckets);
  }
  return AllFinite(sketch) ? sketch : std::vector<float>();
}

}  // namespace downpour
