// Where on the data's way: out of the network, and into and out of shared memory; copies what is larger than
// the caches.
#ifndef DOWNPOUR_COMMON_TENSOR_COPY_PAST_CACHES_H_
#define DOWNPOUR_COMMON_TENSOR_COPY_PAST_CACHES_H_

#include "absl/strings/string_view.h"

namespace downpour {

// Copies `from` to `to`, which must not overlap, without loading the destination into the caches. For
// memory that the caches cannot hold and that another core reads later it is twice as fast as
// std::copy. Thread-safe.
void CopyPastCaches(absl::string_view from, char* to);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TENSOR_COPY_PAST_CACHES_H_
