// Where on the data's way: inside the shard; the first updates of a run follow a rule of their own.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_WARM_START_H_
#define DOWNPOUR_SERVER_OPTIMIZER_WARM_START_H_

#include "server/optimizer/optimizer.h"

namespace downpour {

// A rule whose updates 1 to `updates` follow `warm_start`, and the further ones `run`. During the warm start
// `run` is stepped with the same gradients and factor 0: it changes no parameter, and its state (for ADADELTA
// E[g^2] and E[dx^2], for ADAGRAD the sum of g^2) is that of a rule that has seen every gradient. The state
// vectors of `run` come first, then those of `warm_start`, whose names begin with "warm start ". As `updates`
// is compared with UpdateStep::update, every chunk of a push follows one rule.
std::unique_ptr<Optimizer> WithWarmStart(std::unique_ptr<Optimizer> run,
                                         std::unique_ptr<Optimizer> warm_start, uint64_t updates);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_WARM_START_H_
