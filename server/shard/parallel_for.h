// Where on the data's way: inside a shard's process; the segments of one push or fetch go to several threads.
#ifndef DOWNPOUR_SERVER_SHARD_PARALLEL_FOR_H_
#define DOWNPOUR_SERVER_SHARD_PARALLEL_FOR_H_

#include <cstdint>
#include <functional>

#include "server/shard/bounded_executor.h"

namespace downpour {

// Calls each of f(0), ..., f(n - 1) once; returns when all have returned. f(i) may wait for f(j) if j < i.
using ParallelFor = std::function<void(int64_t n, const std::function<void(int64_t)>& f)>;

// Calls f on the calling thread and on up to `helpers` threads of the executor, as these become free.
// Thread-safe. May be called from a task of the same executor: it never waits for a call not begun.
ParallelFor ParallelForOn(BoundedExecutor* executor, int helpers);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_PARALLEL_FOR_H_
