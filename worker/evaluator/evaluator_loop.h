// Where on the data's way: fetches the parameters whenever an evaluation is due, and reports their accuracy.
#ifndef DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_LOOP_H_
#define DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_LOOP_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/metrics/duration_counter.h"
#include "worker/data/run_data.h"
#include "worker/replica/coordinator_client.h"
#include "worker/replica/shard_client.h"

namespace downpour {

struct EvaluatorLoopOptions {
  CoordinatorClient* coordinator = nullptr;  // not owned
  ShardConnector connect_shard;
  const RunData* data = nullptr;  // not owned; the test sets, as the run's description names them
  std::string run_id;
  int threads = 1;               // to score frames with
  Clock* clock = Clock::Real();  // not owned
  // How long failures to reach the coordinator or the shards may follow each other without a success.
  absl::Duration give_up_after = absl::Minutes(10);
  std::function<bool()> stopped = [] { return false; };
  DurationCounter* evaluations = nullptr;  // not owned, may be null: counts those that are made
};

// Makes every evaluation that becomes due until the coordinator says STOP or stopped() says true, and
// returns OK then. Meanwhile the shards and the coordinator may restart, and shards may move. A transient
// status (common/back_off.h), OUT_OF_RANGE or DATA_LOSS: for give_up_after one of them could not be reached,
// or gave answers that cannot be its own. FAILED_PRECONDITION: another run, layout or data set.
// INVALID_ARGUMENT: as EvaluateTestSet.
absl::Status RunEvaluator(const EvaluatorLoopOptions& options);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_LOOP_H_
