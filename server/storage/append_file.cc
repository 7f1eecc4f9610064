// Where on the data's way: the run folder at rest; writes behind what is known to be written.
#include "server/storage/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/file/file.h"
#include "common/status_macros.h"

namespace downpour {

absl::StatusOr<AppendFile> AppendFile::Open(const std::string& path, int64_t keep_bytes) {
  FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!file.valid()) return FileError("open", path);
  if (ftruncate(file.get(), keep_bytes) != 0) return FileError("cut", path);
  return AppendFile(path, std::move(file), keep_bytes);
}

absl::Status AppendFile::Flush() {
  while (!pending_.empty()) {
    const ssize_t written = pwrite(file_.get(), pending_.data(), pending_.size(), size_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("write to", path_);
    size_ += written;
    pending_.erase(0, written);
    synced_ = false;
  }
  return absl::OkStatus();
}

absl::Status AppendFile::Sync() {
  RETURN_IF_ERROR(Flush());
  if (synced_) return absl::OkStatus();
  if (fdatasync(file_.get()) != 0) return FileError("sync", path_);
  synced_ = true;
  return absl::OkStatus();
}

}  // namespace downpour
