// Where on the data's way: from Kaldi's archives on disk to frames and alignments.
#ifndef DOWNPOUR_WORKER_DATA_KALDI_IO_H_
#define DOWNPOUR_WORKER_DATA_KALDI_IO_H_

#include "worker/data/byte_source.h"

namespace downpour {

// Bytes of an archive, little-endian: per entry the key, a space, and the object, which begins with "\0B":
//   float matrix     "\0B" "FM " 4 i32:rows 4 i32:cols, then rows * cols f32, row-major
//   int32 vector     "\0B" 4 i32:size, then size times (4 i32:value)
// where 4 is one byte, the size of what follows it. The vector {7, -1} of utterance "a" is
//   61 20 | 00 42 | 04 02 00 00 00 | 04 07 00 00 00 | 04 ff ff ff ff

struct FloatMatrix {
  int64_t rows = 0;           // frames
  int64_t cols = 0;           // feature dimension
  std::vector<float> values;  // [rows, cols], row-major
  int64_t values_at = -1;     // the offset in the file at which the same bytes stand; -1: they were unpacked
};

// Reads archives, plain or gzipped, binary (FM, DM; compressed CM, CM2, CM3) or text. Not thread-safe. Errors
// name file, byte offset (in the uncompressed bytes), value seen and value wanted. NOT_FOUND: no file.
// DATA_LOSS: truncated or corrupt. INVALID_ARGUMENT: not a Kaldi archive, or an object of another type.
class ArchiveReader {
 public:
  static absl::StatusOr<std::unique_ptr<ArchiveReader>> Open(const std::string& path);
  explicit ArchiveReader(std::unique_ptr<ByteSource> bytes) : bytes_(std::move(bytes)) {}

  // The next entry's key; its object must be read before the next call. False: the archive ended properly.
  absl::StatusOr<bool> NextKey(std::string* key);
  // Goes to the object that an scp line names. DATA_LOSS: beyond the end.
  absl::Status SeekTo(int64_t offset) { return bytes_->Seek(offset); }
  absl::Status ReadMatrix(FloatMatrix* matrix);
  // The last line of a text archive may lack its line end, as in Kaldi; it may then also have been cut short.
  absl::Status ReadIntVector(std::vector<int32_t>* values);
  // Whether the archive ended in the middle of the line that ReadIntVector() read last.
  bool lacks_line_end() const { return lacks_line_end_; }
  // As ByteSource's.
  int64_t bytes_passed() const { return bytes_->bytes_passed(); }

 private:
  std::unique_ptr<ByteSource> bytes_;
  bool lacks_line_end_ = false;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_KALDI_IO_H_
