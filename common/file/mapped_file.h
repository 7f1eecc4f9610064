// Where on the data's way: files at rest; an archive or checkpoint in the page cache, once for all processes.
#ifndef DOWNPOUR_COMMON_FILE_MAPPED_FILE_H_
#define DOWNPOUR_COMMON_FILE_MAPPED_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace downpour {

// A file mapped for reading, with the length that it had when it was opened. If it is replaced by renaming,
// as downpour-corpus does, the mapping keeps the old file. If it is cut short in place, reading behind the
// new end ends the process by SIGBUS, as does a read error of the disk; started again, it refuses the file
// with DATA_LOSS. Immutable, so thread-safe.
class MappedFile {
 public:
  // NOT_FOUND: no such file. UNAVAILABLE: it cannot be mapped, as a pipe, an empty file, some file systems.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const char* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  MappedFile(const char* data, int64_t size) : data_(data), size_(size) {}

  const char* data_;
  int64_t size_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_FILE_MAPPED_FILE_H_
