// Where on the data's way: beside it; whole files: read at once, or replaced so that no reader sees half of
// one.
#include "common/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

absl::Status Failure(const char* action, const std::string& path) {
  const int cause = errno;
  const std::string message = absl::StrCat("cannot ", action, " ", path, ": ", std::strerror(cause));
  if (cause == ENOENT) return absl::NotFoundError(message);
  if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::Status WriteAll(int fd, const std::string& path, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return Failure("write", path);
    if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteNew(const std::string& path, absl::Span<const absl::string_view> pieces) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Failure("create", path);
  absl::Status status;
  for (size_t i = 0; i < pieces.size() && status.ok(); ++i) status = WriteAll(fd, path, pieces[i]);
  if (status.ok() && fsync(fd) != 0) status = Failure("sync", path);
  // Some file systems report a full disk only here.
  if (close(fd) != 0 && status.ok()) status = Failure("close", path);
  return status;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Failure("open", path);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return Failure("read", path);
  return bytes;
}

absl::Status ReplaceFile(const std::string& path, absl::Span<const absl::string_view> pieces) {
  const std::string partial = path + ".partial";
  absl::Status status = WriteNew(partial, pieces);
  if (status.ok() && std::rename(partial.c_str(), path.c_str()) != 0) status = Failure("replace", path);
  if (!status.ok()) unlink(partial.c_str());
  return status;
}

}  // namespace downpour
