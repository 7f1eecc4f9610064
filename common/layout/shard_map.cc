// Where on the data's way: on both sides of the wire; computes where the flat vector is cut.
#include "common/layout/shard_map.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace downpour {

absl::StatusOr<ShardMap> ShardMap::Create(int64_t size, int shards) {
  if (shards < 1 || size < shards) {
    return absl::InvalidArgumentError(absl::StrCat("cannot split ", size, " parameters over ", shards,
                                                   " shards: want 1 to ", size, " shards"));
  }
  return ShardMap(size, shards);
}

KeyRange ShardMap::range(int shard) const {
  const auto cut = [this](int64_t index) {
    return static_cast<int64_t>(static_cast<__int128>(size_) * index / shards_);
  };
  return {cut(shard), cut(shard + 1)};
}

}  // namespace downpour
