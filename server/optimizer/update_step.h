// Where on the data's way: inside the shard, from the push ledger to the update rule; what a step depends on
// besides the gradient and the rule's state.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_UPDATE_STEP_H_
#define DOWNPOUR_SERVER_OPTIMIZER_UPDATE_STEP_H_

#include <cstdint>

#include "proto/config.pb.h"

namespace downpour {

// One update of a shard. `update` and `staleness` are fixed when the push begins and kept in the push ledger,
// so every chunk of the push is stepped with the same values, also one that is sent again after a restart. If
// a push brings further vectors along with its gradient, they become members here.
struct UpdateStep {
  // Updates that the shard had applied when the push began, plus 1. Pushes that are under way at the same
  // time may have the same number.
  uint64_t update = 1;
  // Updates that the shard applied between the replica's fetch and the beginning of this push.
  uint64_t staleness = 0;
  // The change of every parameter is multiplied by this; the rule's state does not see it.
  float factor = 1;
};

// The step of that update, with the factor that the run description asks for. Schedules of the step and
// factors that depend on staleness belong here.
UpdateStep StepOf(const OptimizerDescription& optimizer, uint64_t update, uint64_t staleness);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_UPDATE_STEP_H_
