// Where on the data's way: common/program, before a process makes its large vectors; asks the kernel.
#include "common/program/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/file/file.h"
#include "common/program/run_program.h"

namespace downpour {
namespace {

const char* program_name = "";

void SayAndEnd() {
  for (const char* part : {program_name, ": out of memory\n"}) {
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  _exit(kExitFailed);
}

// Memory that does not come from operator new (common/wire/shared_memory.h) has only the exception.
void EndOfUncaught() {
  try {
    if (const std::exception_ptr uncaught = std::current_exception()) std::rethrow_exception(uncaught);
  } catch (const std::bad_alloc&) {
    SayAndEnd();
  } catch (...) {
  }
  std::abort();
}

}  // namespace

int64_t MemoryLimit() {
  int64_t limit = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    int64_t group_limit;
    const absl::StatusOr<std::string> text = ReadFile(file);
    if (text.ok() && absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &group_limit))
      limit = std::min(limit, group_limit);
  }
  rlimit address_space{};
  if (getrlimit(RLIMIT_AS, &address_space) == 0 && address_space.rlim_cur != RLIM_INFINITY)
    limit = std::min(limit, static_cast<int64_t>(address_space.rlim_cur));
  return limit;
}

absl::Status CheckMemory(absl::string_view what, double bytes, int64_t limit) {
  if (bytes <= static_cast<double>(limit)) return absl::OkStatus();
  constexpr double kGiB = 1 << 30;
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s needs at least %.1f GiB of memory, want at most %.1f GiB, all that this process can have", what,
      bytes / kGiB, static_cast<double>(limit) / kGiB));
}

void EndWithoutMemory(const char* program) {
  program_name = program;
  std::set_new_handler(SayAndEnd);
  std::set_terminate(EndOfUncaught);
}

}  // namespace downpour
