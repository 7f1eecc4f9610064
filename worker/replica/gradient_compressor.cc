// Where on the data's way: rounds a gradient block by block, and keeps what the rounding leaves out.
#include "worker/replica/gradient_compressor.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "common/check.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/finite.h"
#include "common/tensor/simd_clones.h"
#include "common/wire/gradient_packing.h"

namespace downpour {
namespace {

// Bounds elements so that sums over a block stay finite, also in bfloat16, where gradients diverge.
constexpr float kMostMagnitude = 0x1p116f;
constexpr int kLowestExponent = -126;
constexpr size_t kLanes = 16;

// The loops below give the same bits on every vector unit: the order of no sum depends on the unit, and
// factors are powers of two.
DOWNPOUR_SIMD_CLONES
void RoundToMultiples(float step, float inverse, float* values, size_t n) {
  constexpr float kNearestEven = 0x1.8p23f;  // at this size a float has no fraction
  for (size_t i = 0; i < n; ++i) {
    float multiple = values[i] * inverse;
    multiple = multiple > 127 ? 127 : multiple < -127 ? -127 : multiple;
    multiple = (multiple + kNearestEven) - kNearestEven;
    values[i] = multiple * step + 0.0f;  // no -0, which eight bits do not tell from 0
  }
}

void QuantizeToEightBits(absl::Span<float> block) {
  const float largest = LargestMagnitude(block);
  if (largest == 0) return;
  // largest / 2^exponent lies in [64, 128).
  const int exponent = std::max(std::ilogb(largest) - 6, kLowestExponent);
  RoundToMultiples(std::ldexp(1.0f, exponent), std::ldexp(1.0f, -exponent), block.data(), block.size());
}

struct SignSums {
  float positive[kLanes] = {};  // lane l sums the elements i with i mod kLanes == l; 0 counts as positive
  float negative[kLanes] = {};
  int32_t negatives[kLanes] = {};
};

DOWNPOUR_SIMD_CLONES
void AddBySign(const float* values, size_t n, SignSums* sums) {
  for (size_t begin = 0; begin < n; begin += kLanes) {
    const size_t lanes = n - begin < kLanes ? n - begin : kLanes;
    for (size_t lane = 0; lane < lanes; ++lane) {
      const float value = values[begin + lane];
      sums->positive[lane] += value < 0 ? 0 : value;
      sums->negative[lane] += value < 0 ? value : 0;
      sums->negatives[lane] += value < 0 ? 1 : 0;
    }
  }
}

DOWNPOUR_SIMD_CLONES
void ReplaceBySign(float positive, float negative, float* values, size_t n) {
  for (size_t i = 0; i < n; ++i) values[i] = values[i] < 0 ? negative : positive;
}

void QuantizeToOneBit(absl::Span<float> block) {
  SignSums sums;
  AddBySign(block.data(), block.size(), &sums);
  const int64_t negatives = std::accumulate(sums.negatives, sums.negatives + kLanes, int64_t{0});
  const auto mean = [](const float* lanes, int64_t count) {
    const double sum = std::accumulate(lanes, lanes + kLanes, 0.0);
    return FromBfloat16(
        ToBfloat16(static_cast<float>(sum / static_cast<double>(std::max<int64_t>(count, 1)))));
  };
  ReplaceBySign(mean(sums.positive, static_cast<int64_t>(block.size()) - negatives),
                mean(sums.negative, negatives), block.data(), block.size());
}

template <typename Quantize>
void ForEachBlock(absl::Span<float> gradient, const Quantize& quantize) {
  const auto size = static_cast<int64_t>(gradient.size());
  for (int64_t begin = 0, end; begin < size; begin = end) {
    end = GradientBlockEnd(begin, size);
    quantize(gradient.subspan(begin, end - begin));
  }
}

// Keeps the `share` of elements with the largest bfloat16 magnitudes and sets the others to 0. Among elements
// of the same magnitude the first ones stay.
void KeepLargest(float share, absl::Span<float> gradient) {
  std::vector<int64_t> elements_of_magnitude(0x8000);
  for (const float value : gradient) ++elements_of_magnitude[ToBfloat16(value) & 0x7fff];
  int64_t places = std::max<int64_t>(1, std::llround(share * static_cast<double>(gradient.size())));
  uint16_t threshold = 0x7fff;
  while (threshold > 0 && elements_of_magnitude[threshold] < places)
    places -= elements_of_magnitude[threshold--];
  for (float& value : gradient) {
    const uint16_t rounded = ToBfloat16(value);
    const uint16_t magnitude = rounded & 0x7fff;
    const bool kept = magnitude > threshold || (magnitude == threshold && places-- > 0);
    value = kept ? FromBfloat16(rounded) : 0;
  }
}

// Sets gradient and residual to their sum, within kMostMagnitude.
DOWNPOUR_SIMD_CLONES
void AddResidual(float* __restrict gradient, size_t n, float* __restrict residual) {
  for (size_t i = 0; i < n; ++i) {
    const float sum = gradient[i] + residual[i];
    gradient[i] = residual[i] = sum > kMostMagnitude    ? kMostMagnitude
                                : sum < -kMostMagnitude ? -kMostMagnitude
                                                        : sum;
  }
}

DOWNPOUR_SIMD_CLONES
void SubtractPushed(const float* __restrict gradient, size_t n, float* __restrict residual) {
  for (size_t i = 0; i < n; ++i) residual[i] -= gradient[i];
}

}  // namespace

void GradientCompressor::Compress(absl::Span<float> gradient) {
  if (compression_ == ClusterDescription::NONE) return;
  residual_.resize(gradient.size());
  DOWNPOUR_CHECK(residual_.size() == gradient.size());
  AddResidual(gradient.data(), gradient.size(), residual_.data());
  switch (compression_) {
    case ClusterDescription::NONE:
      break;
    case ClusterDescription::EIGHT_BIT:
      ForEachBlock(gradient, QuantizeToEightBits);
      break;
    case ClusterDescription::ONE_BIT:
      ForEachBlock(gradient, QuantizeToOneBit);
      break;
    case ClusterDescription::TOP_K:
      KeepLargest(top_k_share_, gradient);
      break;
  }
  SubtractPushed(gradient.data(), gradient.size(), residual_.data());
}

bool TravelsInBfloat16(const ClusterDescription& cluster) {
  switch (cluster.wire()) {
    case ClusterDescription::FLOAT32:
      break;
    case ClusterDescription::BFLOAT16:
      return true;
  }
  return false;
}

double PushedBits(const ClusterDescription& cluster) {
  constexpr double kBlock = kGradientBlockElements;
  switch (cluster.gradient_compression()) {
    case ClusterDescription::NONE:
      break;
    case ClusterDescription::EIGHT_BIT:
      return 8 + 16 / kBlock;
    case ClusterDescription::ONE_BIT:
      return 1 + 40 / kBlock;
    case ClusterDescription::TOP_K:
      return 32 * cluster.top_k_share() + 24 / kBlock;
  }
  return FetchedBits(cluster);
}

}  // namespace downpour
