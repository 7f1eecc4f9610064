// Where on the data's way: from an scp file's lines to the places of objects in archives.
#ifndef DOWNPOUR_WORKER_DATA_KALDI_SCP_H_
#define DOWNPOUR_WORKER_DATA_KALDI_SCP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace downpour {

// Rows and columns of a matrix, from 0, the last ones included, as Kaldi writes them: [0:10], [0:10,5:39],
// [:,5:39]. -1: to the matrix's end.
struct MatrixRange {
  int64_t first_row = 0, last_row = -1;
  int64_t first_col = 0, last_col = -1;
  bool operator==(const MatrixRange&) const = default;
};

struct ScpEntry {
  std::string key;
  std::string path;  // or the command without its '|'
  bool is_command = false;
  int64_t offset = 0;
  MatrixRange range;
  int64_t line = 0;  // in the scp, from 1
};

// Lines are "key archive", "key archive:offset" or "key command |", each with a range behind it if only a
// part of the matrix is meant. The offset is that of the object's "\0B" (kaldi_io.h). Nothing is run here.
// INVALID_ARGUMENT with "file:line" for a line that is no scp line. UNIMPLEMENTED for standard input and for
// commands that are written to.
absl::StatusOr<std::vector<ScpEntry>> ParseScp(absl::string_view text, absl::string_view name);
// The same from a file; NOT_FOUND: no file. A relative archive path is taken as Kaldi takes it, from the
// current directory, or else from the scp's directory, so that a data directory may be moved whole. A path
// without a folder is looked for in the scp's directory first: it means the archive that lies there.
absl::StatusOr<std::vector<ScpEntry>> ReadScp(const std::string& path);

// `range` with its ends, for a matrix of this shape. As Kaldi's tools do, it takes a last row that is up to
// three frames behind the matrix's last for that one: segments' ends are rounded. INVALID_ARGUMENT: the
// matrix has no such rows or columns.
absl::StatusOr<MatrixRange> Within(const MatrixRange& range, int64_t rows, int64_t cols);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_KALDI_SCP_H_
