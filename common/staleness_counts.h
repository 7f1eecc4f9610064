// Where on the data's way: pushes, counted by staleness; the mean and quantiles that log and report state.
#ifndef DOWNPOUR_COMMON_STALENESS_COUNTS_H_
#define DOWNPOUR_COMMON_STALENESS_COUNTS_H_

#include <optional>
#include <type_traits>

namespace downpour {

// In this file `counts`, a map or a vector, has pairs (staleness in updates, pushes) by ascending staleness.
template <typename Counts>
double NumberOfPushes(const Counts& counts) {
  double pushes = 0;
  for (const auto& [staleness, count] : counts) pushes += static_cast<double>(count);
  return pushes;
}

// The mean over pushes; absent without pushes.
template <typename Counts>
std::optional<double> StalenessMean(const Counts& counts) {
  const double pushes = NumberOfPushes(counts);
  if (pushes == 0) return std::nullopt;
  double sum = 0;
  for (const auto& [staleness, count] : counts) sum += static_cast<double>(staleness) * count;
  return sum / pushes;
}

// The smallest staleness that at least `share` of the pushes do not exceed (nearest rank); share in (0, 1].
// Absent without pushes.
template <typename Counts>
auto StalenessQuantile(const Counts& counts, double share)
    -> std::optional<std::remove_const_t<typename Counts::value_type::first_type>> {
  const double pushes = NumberOfPushes(counts);
  double seen = 0;
  for (const auto& [staleness, count] : counts) {
    seen += static_cast<double>(count);
    // 7 / 100 is the same double as the literal 0.07; 0.07 * 100 is more than 7.
    if (pushes > 0 && seen / pushes >= share) return staleness;
  }
  return std::nullopt;
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_STALENESS_COUNTS_H_
