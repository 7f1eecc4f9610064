// Where on the data's way: inside the shard; the update rules that Optimizer::Create chooses from.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_RULES_H_
#define DOWNPOUR_SERVER_OPTIMIZER_RULES_H_

#include <memory>

#include "server/optimizer/optimizer.h"

namespace downpour {

// g: gradient, x: parameter, dx: its change; equation numbers of Zeiler 2012. Optimizer::Create() has checked
// the arguments. What the rules do at the limits of float32 is in float_range.h.

// (2): dx = -learning_rate g. No state.
std::unique_ptr<Optimizer> NewSgd(float learning_rate);

// (4): dx_t = rho dx_{t-1} - learning_rate g_t. State "dx".
std::unique_ptr<Optimizer> NewMomentum(float learning_rate, float rho);

// (5): dx_t = -learning_rate / sqrt(sum of g^2 up to t) g_t, without epsilon. State "sum g^2". Where the sum
// is 0, the paper divides 0 by 0; this rule then has dx = 0, also if the sum is 0 only because g^2 is too
// small for a float32 (|g| < 2^-75).
std::unique_ptr<Optimizer> NewAdagrad(float learning_rate);

// (10) with (8) and (9): dx_t = -learning_rate / sqrt(E[g^2]_t + epsilon) g_t. State "E[g^2]".
std::unique_ptr<Optimizer> NewWindowed(float learning_rate, float rho, float epsilon);

// Algorithm 1: dx_t = -sqrt(E[dx^2]_{t-1} + epsilon) / sqrt(E[g^2]_t + epsilon) g_t. State
// "E[g^2]", "E[dx^2]".
std::unique_ptr<Optimizer> NewAdadelta(float rho, float epsilon);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_RULES_H_
