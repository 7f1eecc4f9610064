// Where on the data's way: draws each kind of disturbance from a random stream of its own.
#include "worker/replica/replica_noise.h"

#include <array>
#include <cmath>

namespace downpour {
namespace {

constexpr int kQuantiles = 1 << 16;

// The normal distribution as kQuantiles equally likely values, its quantiles at (k + 1/2) / kQuantiles. A
// draw costs 16 random bits and no logarithm; a logarithm for every element took most of a run's time. Not a
// lambda: that would be constexpr, and GCC would spend 45 s on the table before it gave up.
std::array<float, kQuantiles>* NewNormalQuantiles() {
  auto* table = new std::array<float, kQuantiles>;
  for (int k = 0; k < kQuantiles / 2; ++k) {
    const double wanted = (k + 0.5) / kQuantiles;
    double low = -8, high = 0;
    while (high - low > 1e-9) {
      const double middle = (low + high) / 2;
      (std::erfc(-middle / std::sqrt(2.0)) / 2 < wanted ? low : high) = middle;
    }
    (*table)[k] = static_cast<float>(low);
    (*table)[kQuantiles - 1 - k] = static_cast<float>(-low);
  }
  return table;
}

const std::array<float, kQuantiles>& NormalQuantiles() {
  static const auto* const quantiles = NewNormalQuantiles();
  return *quantiles;
}

// Whether replica `id`, counted from 1, belongs to a share that is spread evenly over the ids. `offset` in
// [0, 1) shifts the share along the ids.
bool InShare(double share, uint64_t id, double offset) {
  const double n = static_cast<double>(id);
  return std::floor(n * share + offset) > std::floor((n - 1) * share + offset);
}

double RootMeanSquare(absl::Span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

}  // namespace

ReplicaNoise::ReplicaNoise(const NoiseDescription& description, uint64_t seed, uint64_t replica_id,
                           int32_t classes)
    : description_(description),
      seed_(RandomAt(seed, replica_id)),
      classes_(classes),
      adversary_(InShare(description.adversary_share(), replica_id, 0)),
      slow_(InShare(description.slow_share(), replica_id, 0.5)) {}

bool ReplicaNoise::Befalls(double share, Stream stream, uint64_t sequence) const {
  return share > 0 && Random(SeedOf(stream), sequence).Uniform() < share;
}

void ReplicaNoise::DisturbLabels(int64_t step, absl::Span<int32_t> labels) const {
  if (description_.label_share() == 0) return;
  Random random(SeedOf(kLabels), step);
  for (int32_t& label : labels)
    if (random.Uniform() < description_.label_share()) label = static_cast<int32_t>(random.Below(classes_));
}

void ReplicaNoise::DisturbGradient(int64_t step, absl::Span<float> gradient) const {
  if (description_.gradient_sigma() > 0) {
    const auto& quantiles = NormalQuantiles();
    const auto sigma = static_cast<float>(description_.gradient_sigma() * RootMeanSquare(gradient));
    Random random(SeedOf(kGradient), step);
    uint64_t bits = 0;
    for (size_t i = 0; i < gradient.size(); ++i, bits >>= 16) {
      if (i % 4 == 0) bits = random.Next();
      gradient[i] += sigma * quantiles[bits % kQuantiles];
    }
  }
  if (adversary_) {
    const auto scale = static_cast<float>(description_.adversary_scale());
    for (float& value : gradient) value *= scale;
  }
}

absl::Duration ReplicaNoise::PushDelay(uint64_t push) const {
  return Befalls(description_.push_delay_share(), kDelay, push) ? absl::Seconds(description_.push_delay_s())
                                                                : absl::ZeroDuration();
}

}  // namespace downpour
