// Where on the data's way: all of it in one process and in real time.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_WALL_CLUSTER_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_WALL_CLUSTER_H_

#include "absl/status/statusor.h"
#include "deploy/in_process/training_job.h"

namespace downpour {

// RunJob (deploy/in_process/training_job.h) by the wall clock.
absl::StatusOr<RunStatus> RunWallJob(const TrainingJob& job);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_WALL_CLUSTER_H_
