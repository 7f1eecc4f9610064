// Where on the data's way: out of the network, in and out of shared memory; copies of large tensors.
#ifndef DOWNPOUR_COMMON_TENSOR_COPY_PAST_CACHES_H_
#define DOWNPOUR_COMMON_TENSOR_COPY_PAST_CACHES_H_

#include "absl/strings/string_view.h"

namespace downpour {

// Copies `from` to `to`, which must not overlap, without loading `to` into the caches: twice as fast as
// std::copy for what the caches cannot hold and another core reads later. Thread-safe.
void CopyPastCaches(absl::string_view from, char* to);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TENSOR_COPY_PAST_CACHES_H_
