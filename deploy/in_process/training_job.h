// Where on the data's way: around all of it; a run in one process, with its run folder, by either clock.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_TRAINING_JOB_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_TRAINING_JOB_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/coordinator.pb.h"
#include "worker/data/run_data.h"

namespace downpour {

struct TrainingJob {
  RunDescription description;           // valid by ValidateRunDescription
  std::shared_ptr<const RunData> data;  // as the description names it
  std::string run_dir;                  // after PrepareRunFolder
  int threads = 1;                      // that compute gradients (virtual clock) and evaluations
  std::function<bool()> stopped = [] { return false; };
  // Told once before training begins, or goes on (then `resumed`).
  std::function<void(const RunStatus&, bool resumed)> begun = [](const RunStatus&, bool) {};
  std::function<void(const RunStatus&)> progress = [](const RunStatus&) {};  // some 5 times a second
};

// Makes the folder for a run of this description, or finds that the run in it is the same. `restart`: throws
// what is in it away first. FAILED_PRECONDITION: another run is in it; the message names the difference and
// what to do. UNAVAILABLE: it cannot be made or cleared.
absl::Status PrepareRunFolder(const std::string& run_dir, const RunDescription& description, bool restart);

// Runs the job by description.cluster.clock, from its beginning or from the checkpoint in the run folder. In
// the end the folder holds a checkpoint of the end. Returns the status at the end: phase FINISHED if the
// budget is used up, otherwise stopped() said so. FAILED_PRECONDITION: another process runs in the folder, or
// the checkpoint is of other data. DATA_LOSS: a checkpoint is damaged. UNAVAILABLE, RESOURCE_EXHAUSTED: the
// folder cannot be written. Others as VirtualCluster and RunReplica.
absl::StatusOr<RunStatus> RunJob(const TrainingJob& job);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_TRAINING_JOB_H_
