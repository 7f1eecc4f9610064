// Where on the data's way: drives one model replica in real time: joins, fetches, computes, pushes, reports,
// leaves.
#ifndef DOWNPOUR_WORKER_REPLICA_REPLICA_LOOP_H_
#define DOWNPOUR_WORKER_REPLICA_REPLICA_LOOP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "proto/coordinator.pb.h"
#include "worker/data/dataset.h"
#include "worker/replica/coordinator_client.h"
#include "worker/replica/shard_client.h"

namespace downpour {

struct ReplicaLoopOptions {
  CoordinatorClient* coordinator = nullptr;  // not owned; shared by any number of replicas
  ShardConnector connect_shard;  // called again when a shard has moved; from several threads at once
  std::shared_ptr<const Dataset>
      data;                  // training part, as CoordinatorClient::Describe()'s description names it
  DataSummary data_summary;  // of `data`
  std::string run_id;        // empty: whatever run the coordinator has
  std::string host;          // for the coordinator's log
  // Not owned; of gradient and fetched parameters: where connect_shard's clients want them.
  std::pmr::memory_resource* memory = std::pmr::new_delete_resource();
  int compute_threads = 1;
  bool parallel_shards = true;   // a thread a shard for fetch and push: helps over sockets, not in-process
  Clock* clock = Clock::Real();  // not owned; of waits and back-off
  uint64_t jitter_seed = 0;      // of the back-off's jitter; differs between replicas
  absl::Duration give_up_after = absl::Minutes(10);  // of an unbroken row of failures to reach one party
  std::function<bool()> stopped = [] {
    return false;
  };  // asked at each step and between retries, from any thread
};

// Runs one replica until the coordinator says STOP or stopped() says true, then leaves the run and returns
// OK. Transient failures (common/back_off.h) are retried with back-off and jitter. A shard that does not
// answer, or answers as another shard would (OUT_OF_RANGE, DATA_LOSS), is looked up at the coordinator, in
// case it has moved or the run is over. A replica that the coordinator has forgotten (NOT_FOUND) joins again,
// under another id. A push that a shard rejects (INVALID_ARGUMENT) is counted, and training goes on.
// A transient status: a party stayed away for give_up_after. FAILED_PRECONDITION: another run, layout or data
// set. INVALID_ARGUMENT, UNIMPLEMENTED: a network or slice that does not fit the data. OUT_OF_RANGE,
// DATA_LOSS: a shard that has not moved answers as no shard should. Threads may each run one on a coordinator
// client that they share.
absl::Status RunReplica(const ReplicaLoopOptions& options);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_REPLICA_LOOP_H_
