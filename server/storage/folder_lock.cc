// Where on the data's way: beside it; keeps two processes from running in one folder.
#include "server/storage/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/file/file.h"

namespace downpour {

absl::StatusOr<FolderLock> FolderLock::Acquire(const std::string& folder, absl::string_view name) {
  const std::string path = absl::StrCat(folder, "/", name);
  FolderLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock.file_ < 0) return FileError("open", path);
  if (flock(lock.file_, LOCK_EX | LOCK_NB) == 0) return lock;
  return absl::FailedPreconditionError(absl::StrCat("another process is at work in ", folder));
}

FolderLock::~FolderLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace downpour
