// Where on the data's way: common/program, in a process that sends or receives tensors; the memory of
// their chunks.
#ifndef DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_
#define DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_

namespace downpour {

// Makes malloc keep the memory of freed chunks for the next ones, up to some tens of megabytes. Without this
// call it gives the pages of every freed chunk of a megabyte back to the kernel, which clears them again for
// the next chunk; that takes a tenth of a transfer's time. Tensors above 4 MiB are still given back at once.
// Call before the process has threads. Does nothing where malloc is not the GNU C library's.
void KeepMemoryOfChunks();

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_
