// Where on the data's way: from the coordinator to the run folder; what TensorBoard's HParams table wants.
#ifndef DOWNPOUR_SERVER_COORDINATOR_HPARAMS_H_
#define DOWNPOUR_SERVER_COORDINATOR_HPARAMS_H_

#include "absl/time/time.h"
#include "proto/config.pb.h"
#include "proto/tensorboard_event.pb.h"

namespace downpour {

// The columns of the table (seed, and every number, text and choice of network, optimizer, cluster, budget
// and noise, by the names that they have as flags; then the final accuracies) and this run's values of them,
// also of those at their defaults: so the runs of a sweep have the same columns. Of a group within a group
// only fields that are set.
tensorboard::Event HParamsStart(const RunDescription& description, absl::Time now);

// The run has reached its budget. TensorBoard keeps the first such event of a folder.
tensorboard::Event HParamsEnd(absl::Time now);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_HPARAMS_H_
