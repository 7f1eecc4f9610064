// Where on the data's way: inside the shard; decides how far an update goes; its direction is the rule's.
#include "server/optimizer/update_step.h"

namespace downpour {

UpdateStep StepOf(const OptimizerDescription& /*optimizer*/, uint64_t update, uint64_t staleness) {
  return {.update = update, .staleness = staleness, .factor = 1};
}

}  // namespace downpour
