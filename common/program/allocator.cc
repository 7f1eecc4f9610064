// Where on the data's way: beside it; how a process that sends or receives tensors keeps the memory of their chunks.
#include "common/program/allocator.h"

#include <cstdlib>  // for __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace downpour {

void KeepMemoryOfChunks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_ARENA_MAX, 2);  // more would each keep as much
#endif
}

}  // namespace downpour
