// Where on the data's way: between a replica and one shard; what clients in-process and over gRPC implement.
#ifndef DOWNPOUR_WORKER_REPLICA_SHARD_CLIENT_H_
#define DOWNPOUR_WORKER_REPLICA_SHARD_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/layout/key_range.h"
#include "common/status_macros.h"
#include "common/tensor/tensor_view.h"
#include "common/wire/push.h"
#include "common/wire/push_planes.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// One replica's access to one shard. A tensor travels in its own type, so bfloat16 takes half the bytes.
// Calls block. INVALID_ARGUMENT: a tensor has not range().size() elements. UNAVAILABLE: the shard cannot be
// reached. After UNAVAILABLE or RESOURCE_EXHAUSTED a call may be made again: a push with the same header is
// applied once all the same. Not thread-safe; each replica has its own.
class ShardClient {
 public:
  virtual ~ShardClient() = default;
  virtual KeyRange range() const = 0;
  // `planes`, each of range().size() elements and of the gradient's type, are read until the call returns.
  // Also the statuses of ParameterShard::ApplyChunk and CheckRun.
  virtual absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) = 0;
  // Fills `parameters`, rounded to nearest even if they are in bfloat16, and returns the shard's version when
  // the fetch began. Also the statuses of ParameterShard::CheckRun. DATA_LOSS: it sent another range.
  virtual absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) = 0;

 protected:
  // INVALID_ARGUMENT: a plane, or a vector of `elements` elements, is not as long as range().
  absl::Status CheckSize(const PushPlanes& planes) const {
    for (size_t plane = 0; plane < planes.size(); ++plane) RETURN_IF_ERROR(CheckSize(planes[plane].size()));
    return absl::OkStatus();
  }
  absl::Status CheckSize(size_t elements) const {
    const KeyRange keys = range();
    if (static_cast<int64_t>(elements) == keys.size()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("a vector of ", elements,
                                                   " elements for the shard of keys [", keys.begin, ", ",
                                                   keys.end, "), want ", keys.size()));
  }
};

// Makes a client of the shard that has the keys `range` of `run` and was last known at `address`.
using ShardConnector = std::function<absl::StatusOr<std::unique_ptr<ShardClient>>(
    const ShardAddress& address, const KeyRange& range, const RunKey& run,
    const ClusterDescription& cluster)>;

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_SHARD_CLIENT_H_
