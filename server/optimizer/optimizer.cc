// Where on the data's way: server/optimizer, before a shard's first update; makes the rule that the run
// description names, out of the rows of common/program/update_rules.h.
#include "server/optimizer/optimizer.h"

#include <array>
#include <cstddef>
#include <iterator>
#include <utility>

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

absl::StatusOr<std::unique_ptr<Optimizer>> Optimizer::Create(const OptimizerDescription& description) {
  RETURN_IF_ERROR(ValidateOptimizer(description));
  return kFactories[description.kind()](description);
}

}  // namespace downpour
