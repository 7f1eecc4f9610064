// Where on the data's way: one replica in real time: joins, fetches, computes, pushes, reports, leaves.
#ifndef DOWNPOUR_WORKER_REPLICA_REPLICA_LOOP_H_
#define DOWNPOUR_WORKER_REPLICA_REPLICA_LOOP_H_

#include <memory_resource>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/metrics/duration_counter.h"
#include "worker/data/dataset.h"
#include "worker/replica/coordinator_client.h"
#include "worker/replica/shard_client.h"

namespace downpour {

struct ReplicaLoopOptions {
  CoordinatorClient* coordinator = nullptr;  // not owned; shared by any number of replicas
  // Called again when a shard has moved; from several threads at once.
  ShardConnector connect_shard;
  // The training part of what CoordinatorClient::Describe() names, and its summary.
  std::shared_ptr<const Dataset> data;
  DataSummary data_summary;
  std::string run_id;  // empty: whatever run the coordinator has
  std::string host;    // for the coordinator's log
  // Not owned. Holds gradient and fetched parameters, so it is where the clients of connect_shard want them.
  std::pmr::memory_resource* memory = std::pmr::new_delete_resource();
  int compute_threads = 1;
  // Whether fetch and push take a thread for each shard, which helps over sockets and not in-process.
  bool parallel_shards = true;
  Clock* clock = Clock::Real();  // not owned; for waits and back-off
  uint64_t jitter_seed = 0;      // for the back-off's jitter; differs between replicas
  // How long failures to reach one party may follow each other without a success.
  absl::Duration give_up_after = absl::Minutes(10);
  DurationCounter* gradients = nullptr;  // not owned, may be null: counts the gradients that are computed
  // Asked at each step and between retries, from any thread.
  std::function<bool()> stopped = [] { return false; };
};

// Runs one replica until the coordinator says STOP or stopped() is true, then leaves the run and returns OK.
// Transient failures (common/back_off.h) are retried with back-off and jitter. When a shard does not answer,
// or answers as another shard would (OUT_OF_RANGE, DATA_LOSS), the coordinator is asked whether it has moved
// or the run is over. A replica that the coordinator has forgotten (NOT_FOUND), or whose token is not taken
// (UNAUTHENTICATED), joins again, under another id.
// A push that a shard rejects (INVALID_ARGUMENT) is counted, and training goes on. Several threads may each
// run a replica with the same coordinator client. A transient status: one party could not be reached for
// give_up_after. FAILED_PRECONDITION: another run, layout or data set. INVALID_ARGUMENT, UNIMPLEMENTED: a
// network or slice that does not fit the data. OUT_OF_RANGE, DATA_LOSS: a shard that has not moved gives
// answers that cannot be its own.
absl::Status RunReplica(const ReplicaLoopOptions& options);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_REPLICA_LOOP_H_
