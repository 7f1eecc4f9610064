// Where on the data's way: files at rest; holds a folder by flock(2) on a file in it.
#include "server/storage/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include "absl/strings/str_cat.h"
#include "common/file/file.h"

namespace downpour {

absl::StatusOr<FolderLock> FolderLock::Acquire(const std::string& folder, absl::string_view name) {
  const std::string path = absl::StrCat(folder, "/", name);
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.valid()) return FileError("open", path);
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return FolderLock(std::move(file));
  return absl::AbortedError(absl::StrCat("another process is at work in ", folder));
}

}  // namespace downpour
