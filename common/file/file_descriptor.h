// Where on the data's way: files at rest and sockets; one that is open, closed by its owner.
#ifndef DOWNPOUR_COMMON_FILE_FILE_DESCRIPTOR_H_
#define DOWNPOUR_COMMON_FILE_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace downpour {

// Owns an open file, pipe or socket. Movable; not thread-safe.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}  // -1: none
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileDescriptor() {
    if (valid()) close(descriptor_);
  }

  bool valid() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }
  // Closes it now. False, with errno set: it failed; some file systems report a full disk only then.
  bool Close() { return close(std::exchange(descriptor_, -1)) == 0; }

 private:
  int descriptor_ = -1;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_FILE_FILE_DESCRIPTOR_H_
