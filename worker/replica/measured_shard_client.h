// Where on the data's way: between a replica and one shard; counts what any client transfers.
#ifndef DOWNPOUR_WORKER_REPLICA_MEASURED_SHARD_CLIENT_H_
#define DOWNPOUR_WORKER_REPLICA_MEASURED_SHARD_CLIENT_H_

#include <memory>
#include <utility>

#include "common/clock.h"
#include "common/metrics/transfer_counters.h"
#include "common/status_macros.h"
#include "worker/replica/shard_client.h"

namespace downpour {

// Passes each call on, and counts it if it ends well. As ShardClient, not thread-safe; the counters are.
class MeasuredShardClient final : public ShardClient {
 public:
  // `transfers` and `clock` are not owned.
  MeasuredShardClient(std::unique_ptr<ShardClient> client, Transfers* transfers, Clock* clock)
      : client_(std::move(client)), transfers_(transfers), clock_(clock) {}

  KeyRange range() const override { return client_->range(); }

  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) override {
    const absl::Time began = clock_->Now();
    ASSIGN_OR_RETURN(const PushOutcome outcome, client_->Push(header, planes));
    const auto bytes = static_cast<int64_t>(planes.size() * planes.gradient().bytes().size());
    transfers_->pushes.Count(bytes, clock_->Now() - began);
    return outcome;
  }

  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override {
    const absl::Time began = clock_->Now();
    ASSIGN_OR_RETURN(const uint64_t version, client_->Fetch(parameters));
    transfers_->fetches.Count(static_cast<int64_t>(parameters.bytes().size()), clock_->Now() - began);
    return version;
  }

 private:
  const std::unique_ptr<ShardClient> client_;
  Transfers* const transfers_;
  Clock* const clock_;
};

// A connector whose clients are measured.
inline ShardConnector Measured(ShardConnector connect, Transfers* transfers, Clock* clock = Clock::Real()) {
  return [connect = std::move(connect), transfers, clock](
             const ShardAddress& address, const KeyRange& range, const RunKey& run,
             const ClusterDescription& cluster) -> absl::StatusOr<std::unique_ptr<ShardClient>> {
    ASSIGN_OR_RETURN(std::unique_ptr<ShardClient> client, connect(address, range, run, cluster));
    return std::make_unique<MeasuredShardClient>(std::move(client), transfers, clock);
  };
}

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_MEASURED_SHARD_CLIENT_H_
