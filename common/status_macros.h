// Where on the data's way: in every room; a function returns to its caller the error that it received.
#ifndef DOWNPOUR_COMMON_STATUS_MACROS_H_
#define DOWNPOUR_COMMON_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RETURN_IF_ERROR(expression)                           \
  do {                                                        \
    if (absl::Status status_ = (expression); !status_.ok()) { \
      return status_;                                         \
    }                                                         \
  } while (false)

#define DOWNPOUR_CONCAT_INNER(a, b) a##b
#define DOWNPOUR_CONCAT(a, b) DOWNPOUR_CONCAT_INNER(a, b)
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_IMPL(DOWNPOUR_CONCAT(status_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_IMPL(status_or, target, expression) \
  auto status_or = (expression);                             \
  if (!status_or.ok()) return std::move(status_or).status(); \
  target = *std::move(status_or)

#endif  // DOWNPOUR_COMMON_STATUS_MACROS_H_
