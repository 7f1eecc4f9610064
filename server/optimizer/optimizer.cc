// Where on the data's way: inside the shard; makes the update rule that the run description names.
#include "server/optimizer/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <numbers>
#include <utility>

#include "common/program/update_rules.h"
#include "common/status_macros.h"
#include "server/optimizer/compensation.h"
#include "server/optimizer/round_mean.h"
#include "server/optimizer/warm_start.h"

namespace downpour {
namespace {

using Factory = std::unique_ptr<Optimizer> (*)(const OptimizerDescription&);

template <size_t... row>
constexpr std::array<Factory, sizeof...(row)> Factories(std::index_sequence<row...>) {
  return {&NewRule<kUpdateRules[row].kind>...};
}

constexpr auto kFactories = Factories(std::make_index_sequence<std::size(kUpdateRules)>());

double ScheduleFactor(const ScheduleDescription& schedule, uint64_t update, float plateau_factor) {
  const double final = schedule.final();
  const double length = static_cast<double>(std::max<int64_t>(schedule.updates(), 1));
  const double done = std::min(1.0, static_cast<double>(update - 1) / length);
  switch (schedule.kind()) {
    case ScheduleDescription::CONSTANT:
      return 1;
    case ScheduleDescription::EXPONENTIAL:
      return std::pow(final, done);
    case ScheduleDescription::COSINE:
      return final + (1 - final) * (1 + std::cos(std::numbers::pi * done)) / 2;
    case ScheduleDescription::PLATEAU:
      return plateau_factor;
  }
  return 1;  // not reached: the description is valid
}

}  // namespace

UpdateStep StepOf(const OptimizerDescription& optimizer, uint64_t update, uint64_t staleness,
                  float plateau_factor) {
  const double relative = static_cast<double>(staleness) / optimizer.staleness_tolerance();
  const double factor = std::pow(1 + relative, -optimizer.staleness_exponent()) *
                        ScheduleFactor(optimizer.schedule(), update, plateau_factor);
  return {.update = update, .staleness = staleness, .factor = static_cast<float>(factor)};
}

absl::StatusOr<std::unique_ptr<Optimizer>> Optimizer::Create(const OptimizerDescription& description,
                                                             const WarmStart& warm_start,
                                                             const Rounds& rounds) {
  RETURN_IF_ERROR(ValidateOptimizer(description));
  std::unique_ptr<Optimizer> rule =
      WithCompensation(description, kFactories[description.kind()](description));
  if (warm_start.has_optimizer()) {
    RETURN_IF_ERROR(ValidateOptimizer(warm_start.optimizer()));
    rule = WithWarmStart(std::move(rule), kFactories[warm_start.optimizer().kind()](warm_start.optimizer()),
                         warm_start.updates());
  }
  return rounds.pushes > 0 ? NewRoundMean(std::move(rule), rounds) : std::move(rule);
}

}  // namespace downpour
