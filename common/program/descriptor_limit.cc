// Where on the data's way: common/program, at the start of every program; asks the system for its limits.
#include "common/program/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace downpour {

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int ConnectionDescriptorsEnd() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<int>::max();
  const auto most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
  return std::max(most / 2, most - kReservedDescriptors);
}

}  // namespace downpour
