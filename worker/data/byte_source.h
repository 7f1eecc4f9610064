// Where on the data's way: the bytes of an archive, plain or gzipped, before they are frames or labels.
#ifndef DOWNPOUR_WORKER_DATA_BYTE_SOURCE_H_
#define DOWNPOUR_WORKER_DATA_BYTE_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
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
  absl::Status Seek(int64_t position);

  int64_t position() const { return buffer_start_ + static_cast<int64_t>(next_); }
  // No more bytes than this follow; what a size in the file is checked against before memory is allocated for
  // it.
  int64_t most_left() const { return most_bytes_ - position(); }
  // "file: byte `at`: what", unless reading failed before: then that failure.
  absl::Status Error(absl::StatusCode code, int64_t at, absl::string_view what) const;
  // What reading failed with; OK at a proper end.
  const absl::Status& failure() const { return failure_; }

 private:
  explicit ByteSource(std::string name) : name_(std::move(name)) {}
  int64_t ReadFile(void* to, int64_t size);
  bool Fill();

  std::string name_;
  void* file_ = nullptr;  // gzFile; null: all bytes are in buffer_
  int64_t most_bytes_ = 0;
  std::string buffer_;
  int64_t buffer_start_ = 0;  // position of buffer_[0]
  size_t next_ = 0;           // in buffer_
  absl::Status failure_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_BYTE_SOURCE_H_
