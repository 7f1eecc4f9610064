// Where on the data's way: inside a shard process; one piece of work on several threads.
#ifndef DOWNPOUR_SERVER_SHARD_PARALLEL_FOR_H_
#define DOWNPOUR_SERVER_SHARD_PARALLEL_FOR_H_

#include <cstdint>
#include <functional>

#include "server/shard/bounded_executor.h"

namespace downpour {

// Calls f(0), ..., f(n - 1), each once, and returns when all have. f(i) may wait for f(j) where j < i.
using ParallelFor = std::function<void(int64_t n, const std::function<void(int64_t)>& f)>;

// On the calling thread and on up to `helpers` of the executor's that are idle. Thread-safe, also from the
// executor's own threads: it waits for nothing that has not begun.
ParallelFor ParallelForOn(BoundedExecutor* executor, int helpers);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_PARALLEL_FOR_H_
