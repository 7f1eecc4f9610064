// Where on the data's way: beside it; an open file, closed by its owner.
#ifndef DOWNPOUR_COMMON_FILE_FILE_DESCRIPTOR_H_
#define DOWNPOUR_COMMON_FILE_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace downpour {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}  // -1: none
  FileDescriptor(FileDescriptor&& other) noexcept { *this = std::move(other); }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileDescriptor() {
    if (valid()) close(descriptor_);
  }

  bool valid() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_FILE_FILE_DESCRIPTOR_H_
