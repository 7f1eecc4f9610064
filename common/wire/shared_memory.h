// Where on the data's way: between replica and shard of one host; the replica's memory, which the shard maps.
#ifndef DOWNPOUR_COMMON_WIRE_SHARED_MEMORY_H_
#define DOWNPOUR_COMMON_WIRE_SHARED_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/file/file_descriptor.h"

namespace downpour {

// The owner's side: allocates from one anonymous file (memfd) whose descriptor can be handed to another
// process. The file is sealed against shrinking, so that a process that has mapped it never faults. Freed
// memory goes back to the kernel, and its place in the file is not used again, so that a peer that writes
// late overwrites nothing. Each allocation takes whole pages, as it is meant for large tensors, and all of
// them at once. Thread-safe.
class SharedMemoryResource final : public std::pmr::memory_resource {
 public:
  // UNAVAILABLE: the system refuses such a file.
  static absl::StatusOr<std::unique_ptr<SharedMemoryResource>> Create();

  const FileDescriptor& file() const { return file_; }
  // The offset of `memory` in the file, in bytes; none if it does not lie within one allocation.
  std::optional<uint64_t> OffsetOf(absl::string_view memory) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Block {
    uint64_t offset = 0;
    size_t bytes = 0;
  };

  explicit SharedMemoryResource(FileDescriptor file) : file_(std::move(file)) {}
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* memory, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  const FileDescriptor file_;
  mutable absl::Mutex mutex_;
  std::map<uintptr_t, Block> blocks_ ABSL_GUARDED_BY(mutex_);  // by address
  uint64_t size_ ABSL_GUARDED_BY(mutex_) = 0;
};

// FAILED_PRECONDITION: `file` is not anonymous memory in plain pages, sealed against shrinking.
absl::Status CheckSealed(const FileDescriptor& file);

// The peer's side: a part of such a file, mapped. The owner may write anything to it at any time.
class SharedMemoryView {
 public:
  // Maps `elements` elements of `element_bytes` bytes each from the byte `offset` on. `file` has passed
  // CheckSealed(). OUT_OF_RANGE: the file is too short, or `offset` is no multiple of element_bytes.
  // FAILED_PRECONDITION: the owner has not written all of it, so pages would become this process's memory.
  // UNAVAILABLE: the system refuses.
  static absl::StatusOr<SharedMemoryView> Map(const FileDescriptor& file, uint64_t offset, int64_t elements,
                                              size_t element_bytes);

  SharedMemoryView() = default;
  SharedMemoryView(SharedMemoryView&& other) noexcept { *this = std::move(other); }
  SharedMemoryView& operator=(SharedMemoryView&& other) noexcept;
  ~SharedMemoryView();

  // Whether Map() made it with these arguments.
  bool Is(uint64_t offset, int64_t elements, size_t element_bytes) const {
    return mapping_ != nullptr && offset_ == offset && bytes_.size() == elements * element_bytes;
  }
  template <typename Element>
  absl::Span<Element> elements() const {
    return {reinterpret_cast<Element*>(bytes_.data()), bytes_.size() / sizeof(Element)};
  }

 private:
  uint64_t offset_ = 0;
  void* mapping_ = nullptr;  // whole pages around bytes_
  size_t mapped_bytes_ = 0;
  absl::Span<char> bytes_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_SHARED_MEMORY_H_
