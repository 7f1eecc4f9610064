// Where on the data's way: on both sides of the wire; which shard owns which keys.
#ifndef DOWNPOUR_COMMON_LAYOUT_SHARD_MAP_H_
#define DOWNPOUR_COMMON_LAYOUT_SHARD_MAP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/layout/key_range.h"

namespace downpour {

// Splits [0, size) into `shards` half-open ranges whose sizes differ by at most 1. Copyable.
class ShardMap {
 public:
  // INVALID_ARGUMENT: shards < 1, or fewer keys than shards.
  static absl::StatusOr<ShardMap> Create(int64_t size, int shards) {
    if (shards >= 1 && size >= shards) return ShardMap(size, shards);
    return absl::InvalidArgumentError(absl::StrCat("cannot split ", size, " parameters over ", shards,
                                                   " shards: want 1 to ", size, " shards"));
  }

  int shards() const { return shards_; }
  int64_t size() const { return size_; }
  // The keys of `shard`, which is in [0, shards()).
  KeyRange range(int shard) const { return {Cut(shard), Cut(shard + 1)}; }

 private:
  ShardMap(int64_t size, int shards) : size_(size), shards_(shards) {}
  int64_t Cut(int64_t index) const {
    return static_cast<int64_t>(static_cast<__int128>(size_) * index / shards_);
  }

  int64_t size_;
  int shards_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_LAYOUT_SHARD_MAP_H_
