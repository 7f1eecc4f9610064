// Where on the data's way: rounds a gradient block by block, and keeps what the rounding leaves out. A block
// stays in the nearest cache from its first pass to its last.
#include "worker/replica/gradient_compressor.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "common/check.h"
#include "common/layout/key_range.h"
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

// Adds the gradient to the residual, within kMostMagnitude.
DOWNPOUR_SIMD_CLONES
void AddGradient(const float* __restrict gradient, size_t n, float* __restrict residual) {
  for (size_t i = 0; i < n; ++i) {
    const float sum = gradient[i] + residual[i];
    residual[i] = sum > kMostMagnitude ? kMostMagnitude : sum < -kMostMagnitude ? -kMostMagnitude : sum;
  }
}

DOWNPOUR_SIMD_CLONES
void SubtractPushed(const float* __restrict pushed, size_t n, float* __restrict residual) {
  for (size_t i = 0; i < n; ++i) residual[i] -= pushed[i];
}

// The blocks of one thread, as a range of elements; each thread has one.
std::vector<KeyRange> Parts(int64_t size) {
  constexpr int64_t kLeastBlocks = 64;  // for which it is worth while to wake another thread
  const int64_t blocks = (size + kGradientBlockElements - 1) / kGradientBlockElements;
  const int64_t parts = std::clamp<int64_t>(blocks / kLeastBlocks, 1, omp_get_max_threads());
  std::vector<KeyRange> ranges(parts);
  for (int64_t part = 0; part < parts; ++part) {
    ranges[part] = {std::min(size, blocks * part / parts * kGradientBlockElements),
                    std::min(size, blocks * (part + 1) / parts * kGradientBlockElements)};
  }
  return ranges;
}

// Calls f(part, block) for each block, the parts on a thread each.
template <typename F>
void ForEachBlock(absl::Span<const KeyRange> parts, const F& f) {
#pragma omp parallel for schedule(static) if (parts.size() > 1)
  for (size_t part = 0; part < parts.size(); ++part) {
    for (KeyRange block = parts[part]; block.begin < parts[part].end; block.begin = block.end) {
      block.end = GradientBlockEnd(block.begin, parts[part].end);
      f(part, block);
    }
  }
}

using BlockOfFloats = float[kGradientBlockElements];

template <typename Quantize>
void CompressByBlocks(absl::Span<const float> gradient, absl::Span<float> residual,
                      absl::Span<uint16_t> pushed, const Quantize& quantize) {
  ForEachBlock(Parts(static_cast<int64_t>(gradient.size())), [&](size_t, KeyRange block) {
    const size_t n = block.size();
    float* const left = &residual[block.begin];
    AddGradient(&gradient[block.begin], n, left);
    BlockOfFloats quantized;
    std::copy_n(left, n, quantized);
    quantize(absl::MakeSpan(quantized, n));
    SubtractPushed(quantized, n, left);
    ToBfloat16(absl::MakeConstSpan(quantized, n), pushed.subspan(block.begin, n));
  });
}

// How many elements of a part have each bfloat16 magnitude.
using Magnitudes = std::vector<uint32_t>;
constexpr int kMagnitudes = 0x8000;

struct Largest {
  uint16_t threshold = kMagnitudes - 1;  // larger magnitudes stay
  int64_t places = 0;                    // for elements of just this one
};

// The magnitude from which on there are places for the largest elements.
Largest FindLargest(absl::Span<const Magnitudes> parts, int64_t places) {
  Largest largest = {.places = places};
  for (; largest.threshold > 0; --largest.threshold) {
    int64_t elements = 0;
    for (const Magnitudes& part : parts) elements += part[largest.threshold];
    if (elements >= largest.places) break;
    largest.places -= elements;
  }
  return largest;
}

DOWNPOUR_SIMD_CLONES
int64_t CountOf(const uint16_t* values, size_t n, uint16_t magnitude) {
  uint16_t count = 0;
  for (size_t i = 0; i < n; ++i) count += (values[i] & 0x7fff) == magnitude;
  return count;
}

DOWNPOUR_SIMD_CLONES
void KeepFrom(uint16_t least, uint16_t* values, size_t n) {
  for (size_t i = 0; i < n; ++i) values[i] = (values[i] & 0x7fff) < least ? 0 : values[i];
}

// Keeps what is larger than the threshold, and the first `places` elements that are as large; sets others to 0.
void KeepLargestOf(absl::Span<uint16_t> block, uint16_t threshold, int64_t* places) {
  const int64_t equal = CountOf(block.data(), block.size(), threshold);
  const int64_t kept = std::min(equal, *places);
  *places -= kept;
  KeepFrom(kept > 0 ? threshold : threshold + 1, block.data(), block.size());
  if (kept == 0 || kept == equal) return;
  int64_t left = kept;
  for (uint16_t& value : block)
    if ((value & 0x7fff) == threshold && left-- <= 0) value = 0;
}

}  // namespace

void GradientCompressor::Compress(absl::Span<const float> gradient, absl::Span<uint16_t> pushed) {
  residual_.resize(gradient.size());
  DOWNPOUR_CHECK(residual_.size() == gradient.size() && pushed.size() == gradient.size());
  switch (compression_) {
    case ClusterDescription::NONE:
      DOWNPOUR_CHECK(false);
      break;
    case ClusterDescription::EIGHT_BIT:
      return CompressByBlocks(gradient, absl::MakeSpan(residual_), pushed, QuantizeToEightBits);
    case ClusterDescription::ONE_BIT:
      return CompressByBlocks(gradient, absl::MakeSpan(residual_), pushed, QuantizeToOneBit);
    case ClusterDescription::TOP_K:
      return KeepLargest(gradient, pushed);
  }
}

// Keeps the share top_k_share_ of elements with the largest bfloat16 magnitudes and sets the others to 0. Among
// elements of the same magnitude the first ones stay.
void GradientCompressor::KeepLargest(absl::Span<const float> gradient, absl::Span<uint16_t> pushed) {
  const std::vector<KeyRange> parts = Parts(static_cast<int64_t>(gradient.size()));
  std::vector<Magnitudes> counts(parts.size(), Magnitudes(kMagnitudes));
  ForEachBlock(parts, [&](size_t part, KeyRange block) {
    float* const left = &residual_[block.begin];
    AddGradient(&gradient[block.begin], block.size(), left);
    const absl::Span<uint16_t> rounded = pushed.subspan(block.begin, block.size());
    ToBfloat16(absl::MakeConstSpan(left, block.size()), rounded);
    for (const uint16_t value : rounded) ++counts[part][value & 0x7fff];
  });
  const int64_t places = std::llround(top_k_share_ * static_cast<double>(gradient.size()));
  const Largest largest = FindLargest(counts, std::max<int64_t>(1, places));
  std::vector<int64_t> places_of_part(parts.size());
  int64_t before = 0;  // elements of the threshold's magnitude in earlier parts
  for (size_t part = 0; part < parts.size(); ++part) {
    places_of_part[part] = std::max<int64_t>(0, largest.places - before);
    before += counts[part][largest.threshold];
  }
  ForEachBlock(parts, [&](size_t part, KeyRange block) {
    const absl::Span<uint16_t> rounded = pushed.subspan(block.begin, block.size());
    KeepLargestOf(rounded, largest.threshold, &places_of_part[part]);
    BlockOfFloats kept;
    FromBfloat16(rounded, absl::MakeSpan(kept, block.size()));
    SubtractPushed(kept, block.size(), &residual_[block.begin]);
  });
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
