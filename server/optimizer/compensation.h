// Where on the data's way: inside the shard; takes into account how far parameters moved since their fetch.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_COMPENSATION_H_
#define DOWNPOUR_SERVER_OPTIMIZER_COMPENSATION_H_

#include "server/optimizer/optimizer.h"

namespace downpour {

// `rule` with the compensation of `description`, or `rule` itself if that is NONE. x_f: the parameters that
// the gradient g was computed at (UpdateStep::fetched, which must not be empty). c: compensation_strength.
//   DELAY: the rule gets g + c g g (x - x_f), as Zheng et al. 2017, eqn. (10).
//   ADAPTIVE_DELAY: likewise with c / sqrt(E[g^2] + 1e-7) instead of c, E[g^2] decaying by 0.95, as DC-ASGD-a
//     of the same paper; a state vector "compensation E[g^2]".
//   GAP: the change of a parameter is multiplied by 1 / (1 + |x - x_f| / (c RMS[dx])), where RMS[dx] is the
//     root of the mean square of the rule's changes, decaying by 0.95; after Barkai et al. 2020, who divide
//     the gradient. A state vector "compensation E[dx^2]"; the rule's own state does not see the factor.
std::unique_ptr<Optimizer> WithCompensation(const OptimizerDescription& description,
                                            std::unique_ptr<Optimizer> rule);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_COMPENSATION_H_
