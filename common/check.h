// Where on the data's way: in every room; a condition that only a bug breaks; the process then stops.
#ifndef DOWNPOUR_COMMON_CHECK_H_
#define DOWNPOUR_COMMON_CHECK_H_

#include <cstdio>
#include <cstdlib>

// Not for bad bytes from disk or network: they give a status. Debian 12's Abseil has no public CHECK yet.
#define DOWNPOUR_CHECK(condition)                                                                         \
  do {                                                                                                    \
    if (!(condition)) {                                                                                   \
      std::fprintf(stderr, "%s:%d: bug in Downpour: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                                       \
    }                                                                                                     \
  } while (false)

#endif  // DOWNPOUR_COMMON_CHECK_H_
