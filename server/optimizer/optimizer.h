// Where on the data's way: inside the shard; an update rule turns a gradient into a change of parameters.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_OPTIMIZER_H_
#define DOWNPOUR_SERVER_OPTIMIZER_OPTIMIZER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "proto/config.pb.h"
#include "server/optimizer/update_step.h"

namespace downpour {

// An update rule of Zeiler 2012, applied element by element: a range that is applied in pieces gets the same
// bits as one that is applied whole. Immutable and thread-safe, since all memory is the caller's.
class Optimizer {
 public:
  // INVALID_ARGUMENT as ValidateOptimizer (common/program/update_rules.h).
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const OptimizerDescription& description);

  virtual ~Optimizer() = default;

  // Names of the state vectors, e.g. {"E[g^2]", "E[dx^2]"}; each has one float per parameter and starts at 0.
  virtual std::vector<std::string> state_names() const = 0;

  // Applies one update: parameters <- parameters + step.factor * dx(gradient, state), and updates the state,
  // which does not depend on the factor. gradient and parameters have equal size n; state[k] points to n
  // floats for each k of state_names(). Memory must not overlap.
  virtual void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
                     absl::Span<float* const> state) const = 0;
};

// The rule of `kind`. Each row of kUpdateRules has a specialisation, in the .cc of its rule; a missing one is
// an error of the linker, which names it. `description` is valid by ValidateOptimizer.
template <OptimizerDescription::Kind kind>
std::unique_ptr<Optimizer> NewRule(const OptimizerDescription& description);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_OPTIMIZER_H_
