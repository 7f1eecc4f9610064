// Where on the data's way: from the coordinator to the replicas' data; keeps slices by epoch and index.
#include "server/coordinator/data_slices.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {

absl::StatusOr<DataSlices> DataSlices::Create(int64_t utterances, int64_t frames, int64_t slice_frames) {
  if (utterances < 1 || frames < 1 || slice_frames < 1) {
    return absl::InvalidArgumentError(absl::StrCat("data of ", utterances, " utterances and ", frames,
                                                   " frames in slices of ", slice_frames,
                                                   " frames, want at least 1 of each"));
  }
  return DataSlices(utterances, std::min(utterances, (frames - 1) / slice_frames + 1));
}

DataSlice DataSlices::Slice(Key key) const {
  // Not index * utterances / slices, whose product may overflow.
  const int64_t size = utterances_ / slices_, longer = utterances_ % slices_;
  DataSlice slice;
  slice.set_epoch(key.first);
  slice.set_index(key.second);
  slice.set_begin(key.second * size + std::min(key.second, longer));
  slice.set_end(slice.begin() + size + (key.second < longer ? 1 : 0));
  return slice;
}

DataSlice DataSlices::Deal(uint64_t replica_id) {
  Key key = next_;
  if (!returned_.empty()) {
    key = *returned_.begin();
    returned_.erase(returned_.begin());
  } else if (++next_.second == slices_) {
    next_ = {next_.first + 1, 0};
  }
  leases_.emplace(replica_id, key);
  return Slice(key);
}

int64_t DataSlices::Held(uint64_t replica_id) const {
  int64_t count = 0;
  auto lease = leases_.lower_bound({replica_id, {0, 0}});
  for (; lease != leases_.end() && lease->first == replica_id; ++lease) ++count;
  return count;
}

bool DataSlices::Finish(uint64_t replica_id, const DataSlice& slice) {
  return leases_.erase({replica_id, {slice.epoch(), slice.index()}}) > 0;
}

int64_t DataSlices::Return(uint64_t replica_id) {
  int64_t count = 0;
  auto lease = leases_.lower_bound({replica_id, {0, 0}});
  for (; lease != leases_.end() && lease->first == replica_id; ++count) {
    returned_.insert(lease->second);
    lease = leases_.erase(lease);
  }
  return count;
}

DataSlicesState DataSlices::Save() const {
  DataSlicesState state;
  state.set_next_epoch(next_.first);
  state.set_next_index(next_.second);
  for (const Key& key : returned_) *state.add_returned() = Slice(key);
  for (const auto& [replica_id, key] : leases_) {
    auto* lease = state.add_leases();
    lease->set_replica_id(replica_id);
    *lease->mutable_slice() = Slice(key);
  }
  return state;
}

absl::StatusOr<DataSlices::Key> DataSlices::KeyOf(const DataSlice& slice) const {
  const Key key(slice.epoch(), slice.index());
  if (key.first >= 0 && key.second >= 0 && key.second < slices_ && key < next_) {
    const DataSlice wanted = Slice(key);
    if (slice.begin() == wanted.begin() && slice.end() == wanted.end()) return key;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("data slice is ", slice.ShortDebugString(), ", want one of ", slices_, " an epoch over ",
                   utterances_, " utterances dealt before epoch ", next_.first, " index ", next_.second));
}

absl::Status DataSlices::Load(const DataSlicesState& state) {
  DataSlices loaded(utterances_, slices_);
  loaded.next_ = {state.next_epoch(), state.next_index()};
  if (state.next_epoch() < 0 || state.next_index() < 0 || state.next_index() >= slices_) {
    return absl::InvalidArgumentError(absl::StrCat("next data slice is epoch ", state.next_epoch(), " index ",
                                                   state.next_index(), ", want an index below ", slices_));
  }
  for (const DataSlice& slice : state.returned()) {
    ASSIGN_OR_RETURN(const Key key, loaded.KeyOf(slice));
    loaded.returned_.insert(key);
  }
  for (const auto& lease : state.leases()) {
    ASSIGN_OR_RETURN(const Key key, loaded.KeyOf(lease.slice()));
    loaded.leases_.emplace(lease.replica_id(), key);
  }
  *this = std::move(loaded);
  return absl::OkStatus();
}

}  // namespace downpour
