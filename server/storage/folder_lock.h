// Where on the data's way: files at rest; keeps two processes from working in one folder.
#ifndef DOWNPOUR_SERVER_STORAGE_FOLDER_LOCK_H_
#define DOWNPOUR_SERVER_STORAGE_FOLDER_LOCK_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/file/file_descriptor.h"

namespace downpour {

// A lock on a folder, held until its destruction or until the process ends, however it ends. Movable.
class FolderLock {
 public:
  // Locks the file <folder>/<name>, which it makes if need be. ABORTED: another process holds it.
  // Other statuses as FileError() of common/file/file.h: the file cannot be made.
  static absl::StatusOr<FolderLock> Acquire(const std::string& folder, absl::string_view name = ".lock");

 private:
  explicit FolderLock(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_STORAGE_FOLDER_LOCK_H_
