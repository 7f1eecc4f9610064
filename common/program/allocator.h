// Where on the data's way: common/program, in a process that sends or receives tensors; their chunks' memory.
#ifndef DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_
#define DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_

#include <cstdlib>  // for __GLIBC__
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace downpour {

// Makes malloc keep the memory of freed chunks for the next ones, up to some tens of megabytes. Without this
// call it gives the pages of every freed chunk of a megabyte back to the kernel, which clears them again for
// the next chunk; that takes a tenth of a transfer's time. Tensors above 4 MiB are still given back at once.
// Call before the process has threads. Does nothing where malloc is not the GNU C library's.
inline void KeepMemoryOfChunks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_ARENA_MAX, 2);  // each arena keeps up to as much as the line above says
#endif
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_
