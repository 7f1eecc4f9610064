// Where on the data's way: one utterance's frames, from the bytes of a Kaldi archive to floats.
#ifndef DOWNPOUR_WORKER_DATA_KALDI_MATRIX_H_
#define DOWNPOUR_WORKER_DATA_KALDI_MATRIX_H_

#include "absl/status/status.h"
#include "worker/data/byte_source.h"
#include "worker/data/kaldi_io.h"

namespace downpour {

// No utterance is longer than this many values (18 hours of 40 values every 10 ms).
inline constexpr int64_t kMostObjectValues = int64_t{1} << 28;

// Both functions read from just behind "\0B", or from a text object's beginning. Statuses as ArchiveReader's.
// What may follow "\0B", other than the FM of kaldi_io.h:
//   "DM "                  as FM, with f64
//   "CM ", "CM2 ", "CM3 "  f32:min f32:range i32:rows i32:cols (no size bytes), then
//     CM    per column 4 u16: the 0th, 25th, 75th and 100th percentile p as min + range * u / 65535;
//           then u8 per value, column by column: piecewise linear from p0 at 0 over p25 at 64 and p75 at 192
//           to p100 at 255
//     CM2   u16 per value, row-major: min + range * u / 65535
//     CM3   u8 per value, row-major: min + range * u / 255
absl::Status ReadBinaryMatrix(ByteSource* bytes, FloatMatrix* matrix);
// "[", rows of numbers, one a line, "]".
absl::Status ReadTextMatrix(ByteSource* bytes, FloatMatrix* matrix);

// The next run of characters up to white space or ']', at most 64 of them; empty at the end and before ']'.
std::string ReadTextToken(ByteSource* bytes);
// Skips blanks, tabs and carriage returns, but no line end.
void SkipBlanks(ByteSource* bytes);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_KALDI_MATRIX_H_
