// Where on the data's way: for the fuzz targets: gives an input to parsers that open a file.
#ifndef DOWNPOUR_TESTS_FUZZ_MEMORY_FILE_H_
#define DOWNPOUR_TESTS_FUZZ_MEMORY_FILE_H_

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "absl/strings/string_view.h"
#include "common/check.h"

namespace downpour {

// A file in memory, which ends with the process in any case. Not thread-safe.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("fuzz input", MFD_CLOEXEC)) { DOWNPOUR_CHECK(descriptor_ >= 0); }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // A file opened by this path is read from its first byte.
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
