// Where on the data's way: the run folder at rest; a file that grows by whole records.
#ifndef DOWNPOUR_SERVER_STORAGE_APPEND_FILE_H_
#define DOWNPOUR_SERVER_STORAGE_APPEND_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/file/file_descriptor.h"

namespace downpour {

// Keeps what it could not write (a full disk) for the next Flush(), which goes on at the byte where the last
// one stopped, so that no record is torn or written twice. Move-only; not thread-safe.
class AppendFile {
 public:
  // Makes the file if need be and cuts it to `keep_bytes`. Statuses as FileError() of common/file/file.h.
  static absl::StatusOr<AppendFile> Open(const std::string& path, int64_t keep_bytes);

  void Append(absl::string_view bytes) { pending_.append(bytes.data(), bytes.size()); }
  // Hands what was appended to the operating system, so that it outlives this process. RESOURCE_EXHAUSTED,
  // UNAVAILABLE: not all of it could be written; it stays for the next call.
  absl::Status Flush();
  // Flush(), and returns once the disk has it all. Statuses as Flush().
  absl::Status Sync();

 private:
  AppendFile(std::string path, FileDescriptor file, int64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  std::string path_;
  FileDescriptor file_;
  int64_t size_;  // bytes known to be written
  std::string pending_;
  bool synced_ = false;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_STORAGE_APPEND_FILE_H_
