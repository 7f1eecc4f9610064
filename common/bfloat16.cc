// Where on the data's way: between replica and shard; float32 in half its bytes.
#include "common/bfloat16.h"

#include "common/check.h"
#include "common/simd_clones.h"

namespace downpour {
namespace {

DOWNPOUR_SIMD_CLONES
void Narrow(const float* __restrict values, size_t n, uint16_t* __restrict rounded) {
  for (size_t i = 0; i < n; ++i) rounded[i] = ToBfloat16(values[i]);
}

DOWNPOUR_SIMD_CLONES
void Widen(const uint16_t* __restrict values, size_t n, float* __restrict widened) {
  for (size_t i = 0; i < n; ++i) widened[i] = FromBfloat16(values[i]);
}

}  // namespace

void ToBfloat16(absl::Span<const float> values, absl::Span<uint16_t> rounded) {
  DOWNPOUR_CHECK(values.size() == rounded.size());
  Narrow(values.data(), values.size(), rounded.data());
}

void FromBfloat16(absl::Span<const uint16_t> values, absl::Span<float> widened) {
  DOWNPOUR_CHECK(values.size() == widened.size());
  Widen(values.data(), values.size(), widened.data());
}

}  // namespace downpour
