// Where on the data's way: at rest; a file's bytes in the operating system's page cache.
#include "common/file/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace downpour {

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  const auto failed = [&path] {
    const std::string message = absl::StrCat(path, ": ", std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(message) : absl::UnavailableError(message);
  };
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failed();
  struct stat info;
  void* data = MAP_FAILED;
  if (fstat(descriptor, &info) == 0) data = mmap(nullptr, info.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
  absl::Status status = data == MAP_FAILED ? failed() : absl::OkStatus();
  close(descriptor);
  if (!status.ok()) return status;
  return std::shared_ptr<const MappedFile>(new MappedFile(static_cast<const char*>(data), info.st_size));
}

MappedFile::~MappedFile() { munmap(const_cast<char*>(data_), size_); }

}  // namespace downpour
