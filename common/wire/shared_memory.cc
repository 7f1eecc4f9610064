// Where on the data's way: grows one anonymous file for the replica, and maps parts of it for the shard.
#include "common/wire/shared_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/file/file.h"

namespace downpour {
namespace {

constexpr char kName[] = "downpour";  // as /proc/PID/maps shows it: /memfd:downpour

uint64_t PageBytes() {
  static const uint64_t bytes = sysconf(_SC_PAGESIZE);
  return bytes;
}

uint64_t WholePages(uint64_t bytes) { return (bytes + PageBytes() - 1) / PageBytes() * PageBytes(); }

}  // namespace

absl::StatusOr<std::unique_ptr<SharedMemoryResource>> SharedMemoryResource::Create() {
  FileDescriptor file(memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid() || fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return FileError("make", "anonymous shared memory");
  }
  return std::unique_ptr<SharedMemoryResource>(new SharedMemoryResource(std::move(file)));
}

void* SharedMemoryResource::do_allocate(size_t bytes, size_t alignment) {
  DOWNPOUR_CHECK(alignment <= PageBytes());
  const size_t pages = WholePages(std::max<size_t>(bytes, 1));
  absl::MutexLock lock(&mutex_);
  if (pages < bytes || ftruncate(file_.get(), static_cast<off_t>(size_ + pages)) != 0) throw std::bad_alloc();
  // All pages are there from now on, so that they count as this process's memory and not as a shard's.
  void* const memory =
      mmap(nullptr, pages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file_.get(), size_);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  blocks_[reinterpret_cast<uintptr_t>(memory)] = {size_, pages};
  size_ += pages;
  return memory;
}

void SharedMemoryResource::do_deallocate(void* memory, size_t, size_t) {
  absl::MutexLock lock(&mutex_);
  const auto block = blocks_.find(reinterpret_cast<uintptr_t>(memory));
  DOWNPOUR_CHECK(block != blocks_.end());
  munmap(memory, block->second.bytes);
  fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(block->second.offset),
            static_cast<off_t>(block->second.bytes));
  blocks_.erase(block);
}

std::optional<uint64_t> SharedMemoryResource::OffsetOf(absl::string_view memory) const {
  const auto begin = reinterpret_cast<uintptr_t>(memory.data());
  absl::MutexLock lock(&mutex_);
  auto block = blocks_.upper_bound(begin);
  if (block == blocks_.begin()) return std::nullopt;
  --block;
  const uint64_t into = begin - block->first;
  if (into + memory.size() > block->second.bytes) return std::nullopt;
  return block->second.offset + into;
}

absl::Status CheckSealed(const FileDescriptor& file) {
  struct statfs system {};
  const int seals = fcntl(file.get(), F_GET_SEALS);
  // Files of huge pages, which are not on tmpfs, are refused: a page may be missing though none was cut off.
  if (seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstatfs(file.get(), &system) == 0 &&
      system.f_type == TMPFS_MAGIC) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("not anonymous memory that is sealed against shrinking");
}

absl::StatusOr<SharedMemoryView> SharedMemoryView::Map(const FileDescriptor& file, uint64_t offset,
                                                       int64_t elements, size_t element_bytes) {
  struct stat state {};
  if (fstat(file.get(), &state) != 0) return FileError("look at", "shared memory");
  const uint64_t bytes = static_cast<uint64_t>(elements) * element_bytes;
  const auto size = static_cast<uint64_t>(state.st_size);
  if (offset % element_bytes != 0 || bytes > size || offset > size - bytes) {
    return absl::OutOfRangeError(
        absl::StrCat(bytes, " bytes from ", offset, " on in shared memory of ", size, " bytes"));
  }
  const off_t hole = lseek(file.get(), static_cast<off_t>(offset), SEEK_HOLE);
  if (hole < 0 || static_cast<uint64_t>(hole) < offset + bytes) {
    return absl::FailedPreconditionError(absl::StrCat("shared memory: its owner has not written byte ", hole,
                                                      ", want all ", bytes, " bytes from ", offset, " on"));
  }
  const uint64_t skipped = offset % PageBytes();
  SharedMemoryView view;
  view.mapped_bytes_ = bytes + skipped;
  void* const mapping =
      mmap(nullptr, view.mapped_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), offset - skipped);
  if (mapping == MAP_FAILED) return FileError("map", "shared memory");
  view.offset_ = offset;
  view.mapping_ = mapping;
  view.bytes_ = {static_cast<char*>(mapping) + skipped, bytes};
  return view;
}

SharedMemoryView& SharedMemoryView::operator=(SharedMemoryView&& other) noexcept {
  std::swap(offset_, other.offset_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

SharedMemoryView::~SharedMemoryView() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

}  // namespace downpour
