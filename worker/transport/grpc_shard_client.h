// Where on the data's way: between a replica and one shard; gradients leave and parameters arrive in chunks.
#ifndef DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CLIENT_H_
#define DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CLIENT_H_

#include <string>

#include "absl/time/time.h"
#include "common/back_off.h"
#include "common/clock.h"
#include "common/layout/key_range.h"
#include "common/random.h"
#include "common/rpc/channel.h"
#include "common/tensor/tensor_view.h"
#include "common/wire/push.h"
#include "worker/replica/shard_client.h"

namespace downpour {

// ShardClient over gRPC. Push sends from the gradient's own memory, and returns only when gRPC is done with
// it; Fetch writes each chunk into the caller's memory. Transient failures are retried as `retry` says.
class GrpcShardClient final : public ShardClient {
 public:
  struct Options {
    std::string address;  // host:port
    Peer peer;
    int connection = 0;  // clients of a process with the same number share one
    KeyRange range;
    RunKey run;
    bool pack_gradients = false;  // whether those in bfloat16 are packed (common/wire/gradient_packing.h)
    RetryPolicy retry;
    absl::Duration rpc_timeout = absl::Seconds(60);  // of one attempt; a full model takes well under a second
    Clock* clock = Clock::Real();                    // not owned; for the back-off
    uint64_t jitter_seed = 0;
  };
  explicit GrpcShardClient(const Options& options);

  KeyRange range() const override { return options_.range; }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) override;
  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override;

 private:
  absl::StatusOr<PushOutcome> TryPush(const PushHeader& header, const PushPlanes& planes);
  absl::StatusOr<uint64_t> TryFetch(MutableTensorView parameters);

  const Options options_;
  Random jitter_;
  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARD_CLIENT_H_
