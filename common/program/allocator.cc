// Where on the data's way: common/program, in a process that sends or receives tensors; the limits that
// malloc is given.
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
  mallopt(M_ARENA_MAX, 2);  // each arena keeps up to as much as the line above says
#endif
}

}  // namespace downpour
