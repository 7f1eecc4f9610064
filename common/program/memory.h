// Where on the data's way: common/program, before a process makes its large vectors; whether they fit.
#ifndef DOWNPOUR_COMMON_PROGRAM_MEMORY_H_
#define DOWNPOUR_COMMON_PROGRAM_MEMORY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace downpour {

// Bytes of memory that this process can have at most: those of the machine, or fewer where a control group
// (a container) or RLIMIT_AS sets a limit. Thread-safe.
int64_t MemoryLimit();

// FAILED_PRECONDITION: `what` needs more bytes than `limit`; the message says how much it needs and how much
// there is. What other processes use is not looked at, so that OK promises nothing.
absl::Status CheckMemory(absl::string_view what, double bytes, int64_t limit = MemoryLimit());

// From now on, operator new that finds no memory, or a std::bad_alloc that nobody catches, ends the process
// with kExitFailed and one line on stderr that names `program` (not copied), where it would otherwise abort.
void EndWithoutMemory(const char* program);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_MEMORY_H_
