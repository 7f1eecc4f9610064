// Where on the data's way: inside the shard, beside a gradient on its way to the update rule; what the rule may depend on
// besides the gradient and its own state.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_UPDATE_STEP_H_
#define DOWNPOUR_SERVER_OPTIMIZER_UPDATE_STEP_H_

#include <cstdint>

#include "proto/config.pb.h"

namespace downpour {

// One update of a shard. It is fixed when the push begins and kept in the push ledger, so every chunk of the push, also
// one that is repeated after a restart, is stepped with the same values. Further vectors that a push brings along with
// its gradient will be members here too. A value.
struct UpdateStep {
  uint64_t update = 1;  // number of this update among all of its shard, counted from 1
  uint64_t staleness =
      0;  // updates that the shard applied between the replica's fetch and the beginning of this push
  float factor = 1;  // the change of every parameter is multiplied by this; it enters no state of the rule
};

// The step with the factor that the run description asks for. Schedules of the step and answers to staleness belong here.
UpdateStep StepOf(const OptimizerDescription& optimizer, uint64_t update, uint64_t staleness);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_UPDATE_STEP_H_
