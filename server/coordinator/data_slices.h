// Where on the data's way: from the coordinator to the replicas' data; deals out slices, epoch by epoch.
#ifndef DOWNPOUR_SERVER_COORDINATOR_DATA_SLICES_H_
#define DOWNPOUR_SERVER_COORDINATOR_DATA_SLICES_H_

#include <set>

#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

// Which part of which epoch is leased to whom. A slice that is given back unfinished is dealt again before
// any new one, so every position of an epoch is finished exactly once. An epoch's first slice is dealt right
// after the last slice of the epoch before. A pure state machine; not thread-safe.
class DataSlices {
 public:
  // A replica asks for a slice when less than a minibatch is left of the one before, so it holds two at most,
  // and with each restart of the coordinator a few more whose end was reported in vain.
  static constexpr int64_t kMostLeases = 64;

  // ceil(frames / slice_frames) slices an epoch, at most one per utterance, cut evenly by utterances.
  // INVALID_ARGUMENT: any argument below 1.
  static absl::StatusOr<DataSlices> Create(int64_t utterances, int64_t frames, int64_t slice_frames);

  int64_t slices_per_epoch() const { return slices_; }

  DataSlice Deal(uint64_t replica_id);
  // How many slices the replica has been dealt and has not finished.
  int64_t Held(uint64_t replica_id) const;
  // Ends a lease; false, and nothing changes, if the replica does not hold that slice.
  bool Finish(uint64_t replica_id, const DataSlice& slice);
  // Takes all slices of the replica back, to be dealt again. Returns how many.
  int64_t Return(uint64_t replica_id);

  DataSlicesState Save() const;
  // INVALID_ARGUMENT: a slice that is not one of this data set's, naming it.
  absl::Status Load(const DataSlicesState& state);

 private:
  using Key = std::pair<int64_t, int64_t>;  // epoch, index within the epoch

  DataSlices(int64_t utterances, int64_t slices) : utterances_(utterances), slices_(slices) {}
  DataSlice Slice(Key key) const;
  absl::StatusOr<Key> KeyOf(const DataSlice& slice) const;

  int64_t utterances_;
  int64_t slices_;  // per epoch
  Key next_{0, 0};  // the next that was never dealt before
  std::set<Key> returned_;
  std::set<std::pair<uint64_t, Key>> leases_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_DATA_SLICES_H_
