// Where on the data's way: files at rest; loops over the system calls until all bytes are read or written.
#include "common/file/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/file/file_descriptor.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

absl::Status WriteAll(int fd, const std::string& path, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return FileError("write", path);
    if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteNew(const std::string& path, absl::Span<const absl::string_view> pieces,
                      FileReaders readers) {
  const bool only_owner = readers == FileReaders::kOwner;
  FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, only_owner ? 0600 : 0644));
  if (!file.valid()) return FileError("create", path);
  // It may have been there with another mode.
  if (only_owner && fchmod(file.get(), 0600) != 0) return FileError("change the mode of", path);
  for (const absl::string_view piece : pieces) RETURN_IF_ERROR(WriteAll(file.get(), path, piece));
  if (fsync(file.get()) != 0) return FileError("sync", path);
  return file.Close() ? absl::OkStatus() : FileError("close", path);
}

// Gives the file a second name, so that `path` is there at every instant; on a file system that has no hard
// links, the file has its new name only.
absl::Status KeepOld(const std::string& path, const std::string& kept) {
  const std::string linked = kept + ".partial";
  unlink(linked.c_str());
  const bool is_linked = link(path.c_str(), linked.c_str()) == 0;
  if (!is_linked && errno == ENOENT) return absl::OkStatus();
  if (std::rename(is_linked ? linked.c_str() : path.c_str(), kept.c_str()) == 0) return absl::OkStatus();
  return FileError("rename", is_linked ? linked : path);
}

}  // namespace

absl::Status FileError(absl::string_view action, absl::string_view path) {
  const int cause = errno;
  const std::string message = absl::StrCat("cannot ", action, " ", path, ": ", std::strerror(cause));
  if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return absl::NotFoundError(absl::StrCat("no file ", path));
  if (!file.valid() && errno == ENOTDIR)
    return absl::NotFoundError(
        absl::StrCat("no file ", path, ": a part of this path is a file, want a folder"));
  if (!file.valid()) return FileError("open", path);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return FileError("examine", path);
  // One byte more than the file says it has, which then stays free. A longer file (a pipe) makes it grow.
  std::string bytes(info.st_size + 1, '\0');
  for (size_t filled = 0;;) {
    if (filled == bytes.size()) bytes.resize(2 * filled);
    const ssize_t got = read(file.get(), &bytes[filled], bytes.size() - filled);
    if (got < 0 && errno != EINTR) return FileError("read", path);
    if (got > 0) filled += static_cast<size_t>(got);
    if (got == 0) {
      bytes.resize(filled);
      return bytes;
    }
  }
}

absl::Status SyncDirectory(const std::string& directory) {
  const FileDescriptor descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid()) return FileError("open directory", directory);
  return fsync(descriptor.get()) == 0 ? absl::OkStatus() : FileError("sync directory", directory);
}

absl::Status ReplaceFile(const std::string& path, absl::Span<const absl::string_view> pieces,
                         const std::string& keep_old_as, FileReaders readers) {
  const std::string partial = path + ".partial";
  absl::Status status = WriteNew(partial, pieces, readers);
  if (status.ok() && !keep_old_as.empty()) status = KeepOld(path, keep_old_as);
  if (status.ok() && std::rename(partial.c_str(), path.c_str()) != 0) status = FileError("replace", path);
  if (!status.ok()) unlink(partial.c_str());
  return status;
}

}  // namespace downpour
