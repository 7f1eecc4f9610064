// Where on the data's way: in every room; a condition that only a bug in Downpour breaks, and that then stops
// the process. Bad bytes from disk or network give an absl::Status instead.
#ifndef DOWNPOUR_COMMON_CHECK_H_
#define DOWNPOUR_COMMON_CHECK_H_

#include <cstdio>
#include <cstdlib>

// Debian 12's Abseil has no public CHECK yet.
#define DOWNPOUR_CHECK(condition)                                                                         \
  do {                                                                                                    \
    if (!(condition)) {                                                                                   \
      std::fprintf(stderr, "%s:%d: bug in Downpour: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                                       \
    }                                                                                                     \
  } while (false)

#endif  // DOWNPOUR_COMMON_CHECK_H_
