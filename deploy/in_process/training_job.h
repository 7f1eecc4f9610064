// Where on the data's way: a whole run in one process, from its description and data to its run folder.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_TRAINING_JOB_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_TRAINING_JOB_H_

#include <functional>

#include "common/tls/identity.h"
#include "server/coordinator/run_folder.h"
#include "server/shard/shard_start.h"
#include "worker/data/run_data.h"

namespace downpour {

struct TrainingJob {
  RunDescription description;           // valid by ValidateRunDescription
  std::shared_ptr<const RunData> data;  // what description.data names
  std::string run_dir;                  // made ready by PrepareRunFolder
  Security security = {};               // of metrics; there are no other connections
  int threads = 1;                      // compute evaluations and, by the virtual clock, gradients
  // By the wall clock: what is done where a checkpoint is lost.
  LostState lost = LostState::kRefused;
  LostCheckpoint lost_coordinator = LostCheckpoint::kRefused;
  bool reshard = false;  // the run may go on with another cluster.shards
  std::function<bool()> stopped = [] { return false; };
  // Called once, before training begins, or before it goes on: then `resumed` is true.
  std::function<void(const RunStatus&, bool resumed)> begun = [](const RunStatus&, bool) {};
  std::function<void(const RunStatus&)> progress = [](const RunStatus&) {};  // at most 5 times a second
};

// Makes the folder for a run of this description, or checks that the run in it is the same, but for the
// number of shards if `reshard`. `restart`: first removes the run that is in it. FAILED_PRECONDITION: it
// holds another run (the message names the difference and what to do). ABORTED: `restart`, and a process is
// at work in it. UNAVAILABLE: it cannot be made or cleared.
absl::Status PrepareRunFolder(const std::string& run_dir, const RunDescription& description, bool restart,
                              bool reshard = false);

// Runs the job by the clock description.cluster.clock, from its beginning or from the checkpoint in the run
// folder, and writes a last checkpoint there. Returns the status at the end: its phase is FINISHED if the
// budget is used up; otherwise stopped() has ended the run. ABORTED: another process runs in the folder.
// FAILED_PRECONDITION: the checkpoint of a run in it is gone, the checkpoint is of other data, or the run
// needs more memory than there is. DATA_LOSS: a checkpoint is damaged. UNAVAILABLE, RESOURCE_EXHAUSTED: the
// folder cannot be written. Other statuses as VirtualCluster and RunReplica.
absl::StatusOr<RunStatus> RunJob(const TrainingJob& job);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_TRAINING_JOB_H_
