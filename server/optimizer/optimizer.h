// Where on the data's way: inside the shard; an update rule turns a gradient into a change of parameters.
#ifndef DOWNPOUR_SERVER_OPTIMIZER_OPTIMIZER_H_
#define DOWNPOUR_SERVER_OPTIMIZER_OPTIMIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/program/rounds.h"
#include "proto/config.pb.h"

namespace downpour {

// One update of a shard: what a step depends on besides the gradient and the rule's state. `update` and
// `staleness` are fixed when the push begins and kept in the push ledger, so every chunk of the push is
// stepped with the same values, also one that is sent again after a restart.
struct UpdateStep {
  // Updates that the shard had made when the push began, plus 1; pushes under way together may share it, and
  // those of a round do (common/program/rounds.h).
  uint64_t update = 1;
  // Updates that the shard made between the replica's fetch and the beginning of this push.
  uint64_t staleness = 0;
  // The change of every parameter is multiplied by this; the rule's state does not see it.
  float factor = 1;
  // The parameters that the gradient was computed at, as many as the gradient has elements; empty where the
  // optimizer has no compensation. Not owned.
  absl::Span<const float> fetched = {};
  // The push's further planes (common/wire/push_planes.h), as many elements each as the gradient has; empty
  // where the push has none. Not owned.
  absl::Span<const float> curvature = {};
  absl::Span<const float> squares = {};
};

// The step of that update: its factor is (1 + staleness / staleness_tolerance)^-staleness_exponent times that
// of the optimizer's schedule, which is `plateau_factor` for PLATEAU. The schedule's length is in updates.
UpdateStep StepOf(const OptimizerDescription& optimizer, uint64_t update, uint64_t staleness,
                  float plateau_factor = 1);

// An update rule of Zeiler 2012, applied element by element: a range that is applied in pieces gets the same
// bits as one that is applied whole. Immutable and thread-safe, since all memory is the caller's.
class Optimizer {
 public:
  // The rule of `description`, by WithCompensation(), by WithWarmStart() if `warm_start` names a rule, and by
  // NewRoundMean() if there are rounds. INVALID_ARGUMENT: ValidateOptimizer (common/program/update_rules.h)
  // refuses one of the two.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const OptimizerDescription& description,
                                                           const WarmStart& warm_start = {},
                                                           const Rounds& rounds = {});

  explicit Optimizer(const OptimizerDescription& description)
      : learning_rate_(description.learning_rate()),
        rho_(description.rho()),
        epsilon_(description.epsilon()) {}
  virtual ~Optimizer() = default;

  // Names of the state vectors, e.g. {"E[g^2]", "E[dx^2]"}; each has one float per parameter and starts at 0.
  virtual std::vector<std::string> state_names() const = 0;

  // Whether a push of so many planes can be applied.
  virtual bool TakesPlanes(size_t planes) const { return planes == 1; }

  // Applies one update: parameters <- parameters + step.factor * dx(gradient, state), and updates the state,
  // which does not depend on the factor. gradient and parameters have equal size n; state[k] points to n
  // floats for each k of state_names(). Memory must not overlap.
  virtual void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
                     absl::Span<float* const> state) const = 0;

 protected:
  const float learning_rate_, rho_, epsilon_;  // each for the rules that have it
};

// The rule of `kind`. Each row of kUpdateRules has a specialisation, in the .cc of its rule; a missing one is
// an error of the linker, which names it. `description` is valid by ValidateOptimizer.
template <OptimizerDescription::Kind kind>
std::unique_ptr<Optimizer> NewRule(const OptimizerDescription& description);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_OPTIMIZER_OPTIMIZER_H_
