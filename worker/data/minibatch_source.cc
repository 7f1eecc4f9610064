// Where on the data's way: from data slices to the network; one list of all open slices' shuffled frames.
#include "worker/data/minibatch_source.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

// Streams of random numbers within an epoch: one for the order of utterances, one for each slice.
constexpr uint64_t kOrderStream = 0;
uint64_t SliceStream(int64_t index) { return static_cast<uint64_t>(index) + 1; }

// A frame to deal in 64 bits: above the frame's row in the data set stands the index of its open slice.
constexpr int kRowBits = 48;
constexpr uint64_t kRowMask = (uint64_t{1} << kRowBits) - 1;

}  // namespace

std::vector<uint32_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t utterances) {
  std::vector<uint32_t> order(utterances);
  std::iota(order.begin(), order.end(), 0);
  Random(RandomAt(seed, epoch), kOrderStream).Shuffle(absl::MakeSpan(order));
  return order;
}

void FillMinibatch(const Dataset& data, absl::Span<const int64_t> rows, Minibatch* minibatch) {
  const int64_t dim = data.input_dim();
  minibatch->frames = static_cast<int64_t>(rows.size());
  minibatch->inputs.resize(rows.size() * dim);
  minibatch->labels.resize(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const Dataset::Utterance& utterance = data.UtteranceOf(rows[i]);
    data.CopyWindow(utterance, rows[i] - utterance.first_frame,
                    absl::MakeSpan(minibatch->inputs).subspan(i * dim, dim));
    minibatch->labels[i] = data.label(rows[i]);
  }
}

MinibatchSource::MinibatchSource(std::shared_ptr<const Dataset> data, int64_t minibatch_frames, uint64_t seed)
    : data_(std::move(data)), minibatch_frames_(minibatch_frames), seed_(seed) {
  DOWNPOUR_CHECK(minibatch_frames_ > 0 && data_->frames() <= static_cast<int64_t>(kRowMask));
}

absl::Status MinibatchSource::CheckSlice(const DataSlice& slice) const {
  const int64_t utterances = static_cast<int64_t>(data_->utterances().size());
  if (slice.epoch() >= 0 && slice.index() >= 0 && 0 <= slice.begin() && slice.begin() <= slice.end() &&
      slice.end() <= utterances) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("data slice ", slice.index(), " of epoch ", slice.epoch(),
                                                 ", positions ", slice.begin(), " to ", slice.end(),
                                                 ", want them within 0 to ", utterances));
}

absl::Status MinibatchSource::AddSlice(const DataSlice& slice) {
  RETURN_IF_ERROR(CheckSlice(slice));
  const std::vector<uint32_t> order =
      EpochOrder(seed_, slice.epoch(), static_cast<int64_t>(data_->utterances().size()));
  std::vector<int64_t> rows;
  for (int64_t position = slice.begin(); position < slice.end(); ++position) {
    const Dataset::Utterance& utterance = data_->utterances()[order[position]];
    for (int64_t i = 0; i < utterance.frames; ++i) rows.push_back(utterance.first_frame + i);
  }
  if (rows.empty()) {
    finished_.push_back(slice);
    return absl::OkStatus();
  }
  std::vector<uint32_t> shuffled(rows.size());
  std::iota(shuffled.begin(), shuffled.end(), 0);
  Random(RandomAt(seed_, slice.epoch()), SliceStream(slice.index())).Shuffle(absl::MakeSpan(shuffled));

  Compact();
  const uint64_t open_index = open_.size();
  open_.push_back({slice, static_cast<int64_t>(rows.size())});
  for (const uint32_t i : shuffled)
    frames_.push_back(open_index << kRowBits | static_cast<uint64_t>(rows[i]));
  return absl::OkStatus();
}

void MinibatchSource::Compact() {
  frames_.erase(frames_.begin(), frames_.begin() + next_);
  next_ = 0;
  std::vector<uint64_t> new_index;
  std::vector<OpenSlice> open;
  for (const OpenSlice& slice : open_) {
    new_index.push_back(open.size());
    if (slice.frames_left > 0) open.push_back(slice);
  }
  for (uint64_t& frame : frames_) frame = new_index[frame >> kRowBits] << kRowBits | (frame & kRowMask);
  open_ = std::move(open);
}

void MinibatchSource::Next(Minibatch* minibatch) {
  std::vector<int64_t> rows(std::min(minibatch_frames_, frames_left()));
  for (int64_t& row : rows) {
    const uint64_t frame = frames_[next_++];
    row = static_cast<int64_t>(frame & kRowMask);
    OpenSlice& open = open_[frame >> kRowBits];
    if (--open.frames_left == 0) finished_.push_back(open.slice);
  }
  FillMinibatch(*data_, rows, minibatch);
}

MinibatchSourceState MinibatchSource::Save() const {
  MinibatchSourceState state;
  for (const OpenSlice& open : open_) {
    MinibatchSourceState::OpenSlice* saved = state.add_open();
    *saved->mutable_slice() = open.slice;
    saved->set_frames_left(open.frames_left);
  }
  state.mutable_frames()->Add(frames_.begin() + next_, frames_.end());
  state.mutable_finished()->Add(finished_.begin(), finished_.end());
  return state;
}

absl::Status MinibatchSource::Load(const MinibatchSourceState& state) {
  std::vector<int64_t> frames_left(state.open_size());
  for (const uint64_t frame : state.frames()) {
    const uint64_t open = frame >> kRowBits;
    const int64_t row = static_cast<int64_t>(frame & kRowMask);
    if (open >= frames_left.size() || row >= data_->frames()) {
      return absl::InvalidArgumentError(absl::StrCat("frame ", row, " of open slice ", open, ", want below ",
                                                     data_->frames(), " and ", frames_left.size()));
    }
    ++frames_left[open];
  }
  std::vector<OpenSlice> open;
  for (int i = 0; i < state.open_size(); ++i) {
    RETURN_IF_ERROR(CheckSlice(state.open(i).slice()));
    if (state.open(i).frames_left() != frames_left[i]) {
      return absl::InvalidArgumentError(absl::StrCat("open slice ", i, " has ", state.open(i).frames_left(),
                                                     " frames left, want ", frames_left[i], ", as listed"));
    }
    open.push_back({state.open(i).slice(), frames_left[i]});
  }
  open_ = std::move(open);
  frames_.assign(state.frames().begin(), state.frames().end());
  next_ = 0;
  finished_.assign(state.finished().begin(), state.finished().end());
  return absl::OkStatus();
}

}  // namespace downpour
