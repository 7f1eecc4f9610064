// Where on the data's way: inside the shard; widens, steps and rounds a segment block by block.
#include "server/shard/segment.h"

#include "absl/algorithm/container.h"
#include "absl/container/inlined_vector.h"
#include "common/tensor/bfloat16.h"

namespace downpour {
namespace {

constexpr int64_t kBlock = 4096;  // elements; so many stay in the first-level cache while they are worked on

absl::Span<const float> Widen(TensorView block, absl::Span<float> memory) {
  if (!block.is_bfloat16()) return block.floats();
  FromBfloat16(block.bfloats(), memory.first(block.size()));
  return memory.first(block.size());
}

}  // namespace

Segment::Segment(int64_t begin, absl::Span<const float> parameters, size_t states, SegmentMemory memory)
    : range_{begin, begin + static_cast<int64_t>(parameters.size())},
      memory_(std::move(memory)),
      parameters_(parameters.size(), memory_.floats),
      state_(states, std::vector<float>(parameters.size())) {
  absl::c_copy(parameters, parameters_.Writable().begin());
}

void Segment::Step(const Optimizer& optimizer, UpdateStep step, int64_t begin, const PushPlanes& planes,
                   TensorView fetched) {
  if (!rounded_lent_) rounded_.reset();
  rounded_lent_ = false;
  const absl::Span<float> parameters = parameters_.Writable();
  const absl::Span<uint16_t> rounded = rounded_.has_value() ? rounded_->Writable() : absl::Span<uint16_t>();
  float widened[kBlock], widened_fetched[kBlock], widened_curvature[kBlock], widened_squares[kBlock];
  absl::InlinedVector<float*, 2> state(state_.size());
  const TensorView gradient = planes.gradient();
  const auto size = static_cast<int64_t>(gradient.size());
  for (int64_t done = 0; done < size; done += kBlock) {
    const TensorView block = gradient[{done, std::min(done + kBlock, size)}];
    const int64_t offset = begin - range_.begin + done;
    for (size_t i = 0; i < state.size(); ++i) state[i] = &state_[i][offset];
    const absl::Span<float> stepped = parameters.subspan(offset, block.size());
    if (!fetched.empty()) {
      const TensorView fetched_block = fetched[{done, done + static_cast<int64_t>(block.size())}];
      step.fetched = Widen(fetched_block, absl::MakeSpan(widened_fetched));
    }
    const KeyRange in_planes{done, done + static_cast<int64_t>(block.size())};
    if (planes.size() > 1) step.curvature = Widen(planes[1][in_planes], absl::MakeSpan(widened_curvature));
    if (planes.size() > 2) step.squares = Widen(planes[2][in_planes], absl::MakeSpan(widened_squares));
    optimizer.Apply(step, Widen(block, absl::MakeSpan(widened)), stepped, state);
    if (!rounded.empty()) ToBfloat16(stepped, rounded.subspan(offset, block.size()));
  }
}

void Segment::Read(KeyRange keys, MutableTensorView parameters) const {
  const absl::Span<const float> from = TensorView(parameters_.Get())[Offsets(keys)].floats();
  if (parameters.is_bfloat16()) return ToBfloat16(from, parameters.bfloats());
  absl::c_copy(from, parameters.floats().begin());
}

LentParameters Segment::Lend(KeyRange keys, bool bfloat16) {
  if (!bfloat16) return {TensorView(parameters_.Get())[Offsets(keys)], parameters_.Lend()};
  if (!rounded_.has_value()) {
    rounded_.emplace(range_.size(), memory_.bfloats);
    ToBfloat16(parameters_.Get(), rounded_->Writable());
  }
  rounded_lent_ = true;
  return {TensorView(rounded_->Get())[Offsets(keys)], rounded_->Lend()};
}

}  // namespace downpour
