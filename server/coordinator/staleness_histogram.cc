// Where on the data's way: what the replicas report; counts pushes by rounded staleness, in a map.
#include "server/coordinator/staleness_histogram.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "common/staleness_counts.h"

namespace downpour {
namespace {

constexpr int64_t kMostPushes = int64_t{1} << 62;

uint64_t Rounded(uint64_t staleness) {
  constexpr int kLeadingBits = 8;
  if (staleness < StalenessHistogram::kExact) return staleness;
  const int dropped = std::bit_width(staleness) - kLeadingBits;
  return staleness >> dropped << dropped;
}

}  // namespace

void StalenessHistogram::AddPushes(uint64_t staleness, int64_t pushes) {
  counts_[Rounded(staleness)] += pushes;
  pushes_ += pushes;
}

void StalenessHistogram::Merge(const StalenessHistogram& other) {
  for (const auto& [staleness, pushes] : other.counts_) AddPushes(staleness, pushes);
}

double StalenessHistogram::Mean() const { return StalenessMean(counts_).value_or(0); }

uint64_t StalenessHistogram::Percentile(int percent) const {
  return StalenessQuantile(counts_, percent / 100.0).value_or(0);
}

StalenessCounts StalenessHistogram::Save() const {
  StalenessCounts state;
  for (const auto& [staleness, pushes] : counts_) {
    state.add_staleness(staleness);
    state.add_pushes(pushes);
  }
  return state;
}

absl::Status StalenessHistogram::Load(const StalenessCounts& state) {
  if (state.staleness_size() != state.pushes_size()) {
    return absl::InvalidArgumentError(absl::StrCat("staleness counts: ", state.staleness_size(),
                                                   " values of staleness, want as many as of pushes, ",
                                                   state.pushes_size()));
  }
  StalenessHistogram loaded;
  for (int i = 0; i < state.staleness_size(); ++i) {
    const int64_t most = kMostPushes - loaded.pushes_;
    if (state.pushes(i) < 1 || state.pushes(i) > most) {
      return absl::InvalidArgumentError(
          absl::StrCat("staleness counts: pushes[", i, "] is ", state.pushes(i), ", want 1 to ", most));
    }
    loaded.AddPushes(state.staleness(i), state.pushes(i));
  }
  *this = std::move(loaded);
  return absl::OkStatus();
}

}  // namespace downpour
