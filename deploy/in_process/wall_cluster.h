// Where on the data's way: from a training job to replica threads that push to and fetch from shards of the
// same process in real time.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_WALL_CLUSTER_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_WALL_CLUSTER_H_

#include "absl/status/statusor.h"
#include "deploy/in_process/training_job.h"

namespace downpour {

// RunJob (deploy/in_process/training_job.h) by the wall clock: each replica and the evaluator has its
// own thread.
absl::StatusOr<RunStatus> RunWallJob(const TrainingJob& job);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_WALL_CLUSTER_H_
