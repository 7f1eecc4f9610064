// Where on the data's way: beside it; keeps two processes from running in one folder.
#ifndef DOWNPOUR_SERVER_STORAGE_FOLDER_LOCK_H_
#define DOWNPOUR_SERVER_STORAGE_FOLDER_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace downpour {

// Held until destruction, or the end of the process, however it ends. Movable.
class FolderLock {
 public:
  // Through the file <folder>/<name>. FAILED_PRECONDITION: another process holds it. Other statuses as
  // FileError() of common/file/file.h: the file cannot be made.
  static absl::StatusOr<FolderLock> Acquire(const std::string& folder, absl::string_view name = ".lock");
  FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~FolderLock();

 private:
  explicit FolderLock(int file) : file_(file) {}
  int file_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_STORAGE_FOLDER_LOCK_H_
