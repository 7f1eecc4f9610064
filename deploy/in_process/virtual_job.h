// Where on the data's way: from a training job to a virtual cluster in its run folder.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_JOB_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_JOB_H_

#include "absl/status/statusor.h"
#include "deploy/in_process/training_job.h"

namespace downpour {

// RunJob (deploy/in_process/training_job.h) by the virtual clock: a VirtualCluster.
absl::StatusOr<RunStatus> RunVirtualJob(const TrainingJob& job);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_JOB_H_
