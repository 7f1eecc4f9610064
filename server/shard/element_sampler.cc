// Where on the data's way: inside the shard; steps copies of the elements that are watched.
#include "server/shard/element_sampler.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "common/tensor/bfloat16.h"

namespace downpour {
namespace {

constexpr float kVerySmall = 0x1p-70f;  // its square is 0 in float32

float At(TensorView plane, int64_t index) {
  return plane.is_bfloat16() ? FromBfloat16(plane.bfloats()[index]) : plane.floats()[index];
}

}  // namespace

absl::StatusOr<SampleReply> ElementSampler::Take(const SampleRequest& request) {
  if (request.key_size() < 1 || request.key_size() > kMostKeys || request.every_updates() < 1) {
    return absl::InvalidArgumentError(absl::StrCat(request.key_size(), " keys at every ",
                                                   request.every_updates(), "th update, want 1 to ",
                                                   kMostKeys, " keys and an interval of 1 or more"));
  }
  std::vector<int64_t> keys(request.key().begin(), request.key().end());
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  absl::MutexLock lock(&mutex_);
  if (keys_ != keys || every_updates_ != request.every_updates()) noted_.Clear();
  keys_ = std::move(keys);
  every_updates_ = request.every_updates();
  std::stable_sort(noted_.mutable_sample()->begin(), noted_.mutable_sample()->end(),
                   [](const auto& a, const auto& b) { return a.update() < b.update(); });
  return std::exchange(noted_, SampleReply());
}

void ElementSampler::Note(const Optimizer& optimizer, const UpdateStep& step, int64_t begin,
                          const PushPlanes& planes, Segment& segment) {
  const int64_t end = begin + static_cast<int64_t>(planes.gradient().size());
  const size_t states = optimizer.state_names().size();
  absl::MutexLock lock(&mutex_);
  for (auto key = std::lower_bound(keys_.begin(), keys_.end(), begin); key != keys_.end() && *key < end;
       ++key) {
    if (noted_.sample_size() >= kMostSamples) return;
    float further[kMostPlanes] = {};
    UpdateStep of_element = step;
    for (size_t plane = 1; plane < planes.size(); ++plane) further[plane] = At(planes[plane], *key - begin);
    if (planes.size() > 1) of_element.curvature = {&further[1], 1};
    if (planes.size() > 2) of_element.squares = {&further[2], 1};
    const auto change_with = [&](float gradient) {
      segment.mutex().AssertHeld();
      float change = 0;
      absl::InlinedVector<float, 4> copies(states);
      absl::InlinedVector<float*, 4> pointers(states);
      for (size_t i = 0; i < states; ++i) {
        copies[i] = segment.state(i)[*key - segment.range().begin];
        pointers[i] = &copies[i];
      }
      optimizer.Apply(of_element, {&gradient, 1}, {&change, 1}, pointers);
      return change;
    };
    const float gradient = At(planes.gradient(), *key - begin);
    const float probe = gradient != 0 ? gradient : kVerySmall;
    ElementSample* const sample = noted_.add_sample();
    sample->set_update(step.update);
    sample->set_key(static_cast<uint64_t>(*key));
    sample->set_step_size(-change_with(probe) / probe);
    sample->set_change(change_with(gradient));
  }
}

}  // namespace downpour
