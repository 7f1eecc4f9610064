// Where on the data's way: inside the shard; gradients of a round are summed, and their mean is stepped.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_ROUND_MEAN_H_
#define DOWNPOUR_SERVER_OPTIMIZER_ROUND_MEAN_H_

#include <memory>

#include "common/program/rounds.h"
#include "server/optimizer/optimizer.h"

namespace downpour {

// An optimizer that steps `rule` with the mean of every rounds.pushes gradients (1 or more), and with each
// gradient by itself while step.update <= rounds.warm_start. Its state is the rule's, then "round sum" and
// "round count": the sum of the gradients of the round so far and their number. Each element has its own
// count, so that it works element by element as any rule does. The rule gets the round's last UpdateStep.
std::unique_ptr<Optimizer> NewRoundMean(std::unique_ptr<Optimizer> rule, const Rounds& rounds);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_ROUND_MEAN_H_
