// Where on the data's way: beside it; how a process that sends or receives tensors keeps the memory of their chunks.
#ifndef DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_
#define DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_

namespace downpour {

// Call before the process has threads. Chunks of a megabyte come and go by the thousand: malloc would give each one's pages back to the
// kernel, which clears them anew, a tenth of a transfer's time. Now some tens of megabytes are kept; larger tensors are
// still given back at once. Nothing where malloc is not the GNU C library's.
void KeepMemoryOfChunks();

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_ALLOCATOR_H_
