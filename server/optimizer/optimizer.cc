// Where on the data's way: inside the shard; makes the update rule that the run description names.
#include "server/optimizer/optimizer.h"

#include <array>
#include <cstddef>
#include <iterator>

#include "common/program/update_rules.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

using Factory = std::unique_ptr<Optimizer> (*)(const OptimizerDescription&);

template <size_t... row>
constexpr std::array<Factory, sizeof...(row)> Factories(std::index_sequence<row...>) {
  return {&NewRule<kUpdateRules[row].kind>...};
}

constexpr auto kFactories = Factories(std::make_index_sequence<std::size(kUpdateRules)>());

}  // namespace

UpdateStep StepOf(const OptimizerDescription& /*optimizer*/, uint64_t update, uint64_t staleness) {
  return {.update = update, .staleness = staleness, .factor = 1};
}

absl::StatusOr<std::unique_ptr<Optimizer>> Optimizer::Create(const OptimizerDescription& description) {
  RETURN_IF_ERROR(ValidateOptimizer(description));
  return kFactories[description.kind()](description);
}

}  // namespace downpour
