// Where on the data's way: beside it; a fuzzer's input as a file, for parsers that open one.
#ifndef DOWNPOUR_TESTS_FUZZ_MEMORY_FILE_H_
#define DOWNPOUR_TESTS_FUZZ_MEMORY_FILE_H_

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "absl/strings/string_view.h"
#include "common/check.h"

namespace downpour {

// A file without a disk, gone with the process whatever ends it. Not thread-safe.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("fuzz input", MFD_CLOEXEC)) { DOWNPOUR_CHECK(descriptor_ >= 0); }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // Opening it begins at its first byte.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

  void Fill(absl::string_view bytes) {
    DOWNPOUR_CHECK(ftruncate(descriptor_, 0) == 0);
    DOWNPOUR_CHECK(pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }

 private:
  const int descriptor_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_FUZZ_MEMORY_FILE_H_
