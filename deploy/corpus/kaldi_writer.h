// Where on the data's way: from the corpus maker to a Kaldi data directory on disk: frames and alignments as
// training reads them.
#ifndef DOWNPOUR_DEPLOY_CORPUS_KALDI_WRITER_H_
#define DOWNPOUR_DEPLOY_CORPUS_KALDI_WRITER_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace downpour {

// Not thread-safe. All methods, RESOURCE_EXHAUSTED: disk full; UNAVAILABLE: any other failure to write; the
// message names file and cause.
class ArchiveWriter {
 public:
  // Replaces both files. `scp_path` empty: no scp. The scp names the archive as `name_in_scp` (empty:
  // as `path`).
  static absl::StatusOr<std::unique_ptr<ArchiveWriter>> Create(const std::string& path,
                                                               const std::string& scp_path,
                                                               const std::string& name_in_scp = "");
  ~ArchiveWriter();  // closes, ignoring errors: call Close() to see them
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;

  // Keys: INVALID_ARGUMENT if empty or with white space. `values`: [values.size() / cols, cols], row-major; a
  // whole number of rows.
  absl::Status WriteMatrix(absl::string_view key, int64_t cols, absl::Span<const float> values);
  absl::Status WriteIntVector(absl::string_view key, absl::Span<const int32_t> values);
  // Everything has been handed to the operating system if OK.
  absl::Status Close();

 private:
  ArchiveWriter() = default;
  absl::Status WriteEntry(absl::string_view key, absl::string_view object);

  std::string path_;
  std::string scp_path_;
  std::string name_in_scp_;
  std::FILE* archive_ = nullptr;
  std::FILE* scp_ = nullptr;
  int64_t offset_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_KALDI_WRITER_H_
