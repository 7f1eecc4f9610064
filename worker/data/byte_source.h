// Where on the data's way: the bytes of an archive, plain or gzipped, before they are frames or labels.
#ifndef DOWNPOUR_WORKER_DATA_BYTE_SOURCE_H_
#define DOWNPOUR_WORKER_DATA_BYTE_SOURCE_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace downpour {

// Reads forward through a file, inflating it if it is gzipped, or through memory. Not thread-safe. Positions
// and sizes are bytes after inflating. Errors are DATA_LOSS (truncated, corrupt gzip stream) or UNAVAILABLE
// (cannot be read) and begin with "file: byte position:".
class ByteSource {
 public:
  // NOT_FOUND: no such file. UNAVAILABLE: cannot be opened.
  static absl::StatusOr<std::unique_ptr<ByteSource>> Open(const std::string& path);
  // `name` stands for the file in messages.
  static std::unique_ptr<ByteSource> FromMemory(std::string bytes, std::string name);
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // The next byte; -1 at the end or after a failure, which Error() then reports.
  int Peek();
  int Get();
  absl::Status Read(int64_t size, void* to);
  // Reads `count` values, for example floats. A small gzipped file may promise a thousand times as much as it
  // holds, so for those memory grows with the bytes that come.
  template <typename T>
  absl::Status ReadVector(int64_t count, std::vector<T>* values);
  absl::Status Seek(int64_t position);

  // Whether positions are offsets in the file itself, which is then not gzipped.
  bool plain() const { return !compressed_; }
  int64_t position() const { return buffer_start_ + static_cast<int64_t>(next_); }
  // How many bytes were read or, in a gzipped file, inflated to get past them. A seek backward in such a file
  // inflates it again from its beginning.
  int64_t bytes_passed() const { return bytes_passed_; }
  // At most this many bytes follow. A size in the file must not exceed it, or no memory is allocated.
  int64_t most_left() const { return most_bytes_ - position(); }
  // "file: byte `at`: what", unless reading failed before: then that failure.
  absl::Status Error(absl::StatusCode code, int64_t at, absl::string_view what) const;
  // The error that ended the reading; OK at a proper end.
  const absl::Status& failure() const { return failure_; }

 private:
  explicit ByteSource(std::string name) : name_(std::move(name)) {}
  static constexpr int64_t kStepBytes = 1 << 20;
  int64_t ReadFile(void* to, int64_t size);
  bool Fill();
  int64_t ReadUpTo(int64_t size, void* to);
  absl::Status Truncated(int64_t begin, int64_t wanted, int64_t got) const;

  std::string name_;
  void* file_ = nullptr;  // gzFile; null: all bytes are in buffer_
  bool compressed_ = false;
  int64_t most_bytes_ = 0;
  int64_t bytes_passed_ = 0;
  std::string buffer_;
  int64_t buffer_start_ = 0;  // position of buffer_[0]
  size_t next_ = 0;           // in buffer_
  absl::Status failure_;
};

template <typename T>
absl::Status ByteSource::ReadVector(int64_t count, std::vector<T>* values) {
  const int64_t begin = position();
  const int64_t step = compressed_ ? kStepBytes / static_cast<int64_t>(sizeof(T)) : count;
  values->clear();
  for (int64_t read = 0; read < count;) {
    const int64_t more = std::min(step, count - read);
    values->resize(read + more);
    const int64_t bytes = more * static_cast<int64_t>(sizeof(T));
    const int64_t got = ReadUpTo(bytes, values->data() + read);
    read += more;
    if (got < bytes) return Truncated(begin, count * static_cast<int64_t>(sizeof(T)), position() - begin);
  }
  return absl::OkStatus();
}

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_BYTE_SOURCE_H_
