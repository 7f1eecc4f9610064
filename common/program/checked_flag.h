// Where on the data's way: common/program, before a run; flags whose values must not be too small.
#ifndef DOWNPOUR_COMMON_PROGRAM_CHECKED_FLAG_H_
#define DOWNPOUR_COMMON_PROGRAM_CHECKED_FLAG_H_

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace downpour {

// The value of a flag of numbers or durations. INVALID_ARGUMENT: it is less than `least`.
template <typename Value>
absl::StatusOr<Value> FlagFrom(const absl::Flag<Value>& flag, Value least) {
  const Value value = absl::GetFlag(flag);
  if (value >= least) return value;
  const absl::CommandLineFlag& about = absl::GetFlagReflectionHandle(flag);
  return absl::InvalidArgumentError(absl::StrCat("--", about.Name(), " is ", about.CurrentValue(), ", want ",
                                                 absl::UnparseFlag<Value>(least), " or more"));
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_CHECKED_FLAG_H_
