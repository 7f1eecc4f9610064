// Where on the data's way: from a replica's data slices to the network; deals out shuffled minibatches.
#ifndef DOWNPOUR_WORKER_DATA_MINIBATCH_SOURCE_H_
#define DOWNPOUR_WORKER_DATA_MINIBATCH_SOURCE_H_

#include "absl/status/status.h"
#include "common/random.h"
#include "proto/checkpoint.pb.h"
#include "worker/data/dataset.h"
#include "worker/data/minibatch.h"

namespace downpour {

// Not thread-safe; one per replica. Shuffles the frames of each slice, which is finished when its last frame
// has been dealt. Frames that do not fill a minibatch wait for the next slice, and go before its frames.
class MinibatchSource {
 public:
  // `seed` is the run's. Sources that are given the same slices in the same order give the same minibatches.
  MinibatchSource(std::shared_ptr<const Dataset> data, int64_t minibatch_frames, uint64_t seed);

  // Whether a slice must be added before Next() can fill a whole minibatch.
  bool needs_slice() const { return frames_left() < minibatch_frames_; }
  // INVALID_ARGUMENT: positions outside the data set.
  absl::Status AddSlice(const DataSlice& slice);
  // Fills `minibatch` with minibatch_frames frames; with fewer, or none, only if no more are left.
  void Next(Minibatch* minibatch);
  // Slices finished since the last call.
  std::vector<DataSlice> TakeFinished() { return std::exchange(finished_, {}); }

  // For the virtual cluster's checkpoint. Load: INVALID_ARGUMENT if the state does not fit the data set.
  MinibatchSourceState Save() const;
  absl::Status Load(const MinibatchSourceState& state);

 private:
  struct OpenSlice {
    DataSlice slice;
    int64_t frames_left;
  };

  int64_t frames_left() const { return static_cast<int64_t>(frames_.size()) - next_; }
  absl::Status CheckSlice(const DataSlice& slice) const;
  // Forgets dealt frames and finished slices, so that neither list (nor a saved state) grows with the run.
  void Compact();

  std::shared_ptr<const Dataset> data_;
  int64_t minibatch_frames_;
  uint64_t seed_;
  std::vector<OpenSlice> open_;
  std::vector<uint64_t> frames_;  // as MinibatchSourceState.frames; those from next_ on are to be dealt
  int64_t next_ = 0;
  std::vector<DataSlice> finished_;
};

// Fills `minibatch` with the frames `rows` of the whole data set.
void FillMinibatch(const Dataset& data, absl::Span<const int64_t> rows, Minibatch* minibatch);

// The order of utterances in `epoch`: a permutation of [0, utterances) drawn from (seed, epoch).
std::vector<uint32_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t utterances);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_MINIBATCH_SOURCE_H_
