// Where on the data's way: what the replicas report; how old the parameters behind their pushes were.
#ifndef DOWNPOUR_SERVER_COORDINATOR_STALENESS_HISTOGRAM_H_
#define DOWNPOUR_SERVER_COORDINATOR_STALENESS_HISTOGRAM_H_

#include <map>

#include "absl/status/status.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

// Staleness (in updates) -> pushes. Values below kExact are counted exactly. Others are rounded down to their
// 8 leading bits, so by less than 1/128 of themselves, and so are the mean and the percentiles that they
// give. There are at most 7,936 different values, whatever replicas report. A value; not thread-safe.
class StalenessHistogram {
 public:
  static constexpr uint64_t kExact = 1024;

  void Add(uint64_t staleness) { AddPushes(staleness, 1); }
  void Merge(const StalenessHistogram& other);

  int64_t pushes() const { return pushes_; }
  const std::map<uint64_t, int64_t>& counts() const { return counts_; }
  // 0 where there is no push.
  double Mean() const;
  // The smallest staleness that at least `percent` of the pushes do not exceed (nearest rank); percent in [1,
  // 100]. 0 where there is no push.
  uint64_t Percentile(int percent) const;

  StalenessCounts Save() const;
  // Replaces the counts. INVALID_ARGUMENT: fields of unequal length, a count below 1, or over 2^62 pushes.
  absl::Status Load(const StalenessCounts& state);

 private:
  void AddPushes(uint64_t staleness, int64_t pushes);

  std::map<uint64_t, int64_t> counts_;
  int64_t pushes_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_STALENESS_HISTOGRAM_H_
