// Where on the data's way: adds up gradients in float32, and rounds only what is about to be pushed.
#include "worker/replica/gradient_accumulator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/tensor/bfloat16.h"

namespace downpour {

GradientAccumulator::GradientAccumulator(const ClusterDescription& cluster, int64_t elements,
                                         GradientPool* pool, RoundedGradientPool* rounded_pool)
    : elements_(elements),
      network_may_round_(rounded_pool != nullptr && cluster.n_push() == 1 && !CompressesGradients(cluster)),
      compressor_(cluster),
      pool_(pool),
      rounded_pool_(rounded_pool),
      sum_(pool->memory()),
      rounded_(pool->memory()) {
  DOWNPOUR_CHECK(rounded_pool != nullptr || !compressor_.compresses());
}

bool GradientAccumulator::Add(bool in_float32, int planes,
                              absl::FunctionRef<bool(MutableTensorView planes)> compute) {
  bool added = false;
  const auto size = static_cast<size_t>(planes * elements_);
  if (network_may_round_ && !in_float32 && minibatches_ == 0) {
    rounded_ = rounded_pool_->Take();
    added = compute(MutableTensorView(absl::MakeSpan(rounded_).first(size)));
    if (!added) rounded_pool_->Give(&rounded_);
  } else {
    std::pmr::vector<float> gradient = pool_->Take();
    added = compute(MutableTensorView(absl::MakeSpan(gradient).first(size)));
    if (added && minibatches_ == 0) {
      sum_ = std::move(gradient);
    } else {
      if (added)
        for (size_t i = 0; i < size_; ++i) sum_[i] += gradient[i];
      pool_->Give(&gradient);
    }
  }
  if (added && minibatches_++ == 0) size_ = size;
  return added;
}

PushPlanes GradientAccumulator::planes(KeyRange keys) const {
  PushPlanes planes(sum()[keys]);
  for (int64_t begin = elements_; begin < static_cast<int64_t>(size_); begin += elements_)
    planes.Add(sum()[{begin + keys.begin, begin + keys.end}]);
  return planes;
}

void GradientAccumulator::Compress() {
  if (!compressor_.compresses()) return;
  rounded_ = rounded_pool_->Take();
  compressor_.Compress(absl::MakeConstSpan(sum_).first(elements_), absl::MakeSpan(rounded_).first(elements_));
  RoundFrom(elements_);
}

void GradientAccumulator::Round() {
  if (rounded_pool_ == nullptr || !rounded_.empty()) return;
  rounded_ = rounded_pool_->Take();
  RoundFrom(0);
}

void GradientAccumulator::RoundFrom(size_t element) {
  const size_t left = size_ - element;
  ToBfloat16(absl::MakeConstSpan(sum_).subspan(element, left),
             absl::MakeSpan(rounded_).subspan(element, left));
  pool_->Give(&sum_);
}

void GradientAccumulator::Clear() {
  DOWNPOUR_CHECK(minibatches_ > 0);
  pool_->Give(&sum_);
  if (rounded_pool_ != nullptr) rounded_pool_->Give(&rounded_);
  minibatches_ = 0;
  size_ = 0;
}

absl::Status GradientAccumulator::Load(int64_t minibatches, int planes, TensorView sum,
                                       absl::Span<const float> residual) {
  const int64_t wanted = minibatches > 0 ? planes * elements_ : 0;
  if (static_cast<int64_t>(sum.size()) != wanted)
    return absl::InvalidArgumentError(absl::StrCat(sum.size(), " gradient elements, want ", wanted));
  if (sum.is_bfloat16() && rounded_pool_ == nullptr)
    return absl::InvalidArgumentError("a gradient in bfloat16, want float32");
  if (!residual.empty() && static_cast<int64_t>(residual.size()) != elements_) {
    return absl::InvalidArgumentError(
        absl::StrCat(residual.size(), " elements left out of pushes, want ", elements_, " or none"));
  }
  if (minibatches_ > 0) Clear();
  minibatches_ = minibatches;
  size_ = sum.size();
  compressor_.set_residual(residual);
  if (sum.is_bfloat16()) {
    rounded_ = rounded_pool_->Take();
    std::copy(sum.bfloats().begin(), sum.bfloats().end(), rounded_.begin());
  } else if (!sum.empty()) {
    sum_ = pool_->Take();
    std::copy(sum.floats().begin(), sum.floats().end(), sum_.begin());
  }
  return absl::OkStatus();
}

}  // namespace downpour
