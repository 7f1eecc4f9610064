// Where on the data's way: from Kaldi's archives on disk to frames and alignments.
#ifndef DOWNPOUR_WORKER_DATA_KALDI_IO_H_
#define DOWNPOUR_WORKER_DATA_KALDI_IO_H_

#include "absl/strings/string_view.h"
#include "worker/data/byte_source.h"

namespace downpour {

// Bytes of an archive, little-endian: per entry the key, a space, and the object, which begins with "\0B":
//   float matrix     "\0B" "FM " 4 i32:rows 4 i32:cols, then rows * cols f32, row-major
//   int32 vector     "\0B" 4 i32:size, then size times (4 i32:value)
// where 4 is one byte, the size of what follows it. The vector {7, -1} of utterance "a" is
//   61 20 | 00 42 | 04 02 00 00 00 | 04 07 00 00 00 | 04 ff ff ff ff
// An scp line says where an object is: "key archive:offset", the offset being that of "\0B".

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
  absl::Status ReadIntVector(std::vector<int32_t>* values);

 private:
  std::unique_ptr<ByteSource> bytes_;
};

struct ScpEntry {
  std::string key;
  std::string path;
  int64_t offset = 0;
  int64_t line = 0;  // in the scp, from 1
};

// INVALID_ARGUMENT with "file:line" for a line that is no scp line. UNIMPLEMENTED for pipes, standard input
// and row ranges: Downpour runs no commands out of data.
absl::StatusOr<std::vector<ScpEntry>> ParseScp(absl::string_view text, absl::string_view name);
// The same from a file; NOT_FOUND: no file. A relative archive path is taken as Kaldi takes it, from the
// current directory, or else from the scp's directory, so that a data directory may be moved whole. A path
// without a folder is looked for in the scp's directory first: it means the archive that lies there.
absl::StatusOr<std::vector<ScpEntry>> ReadScp(const std::string& path);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_KALDI_IO_H_
