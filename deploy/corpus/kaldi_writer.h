// Where on the data's way: from the corpus maker to disk; Kaldi archives, as training reads them.
#ifndef DOWNPOUR_DEPLOY_CORPUS_KALDI_WRITER_H_
#define DOWNPOUR_DEPLOY_CORPUS_KALDI_WRITER_H_

#include <cstdio>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace downpour {

// Writes Kaldi archives (their bytes: worker/data/kaldi_io.h). Not thread-safe. Every method may return
// RESOURCE_EXHAUSTED (the disk is full) and UNAVAILABLE (writing fails otherwise), with file and cause.
class ArchiveWriter {
 public:
  // Replaces both files; an empty `scp_path` means no scp, which names the archive `name_in_scp`, or `path`.
  static absl::StatusOr<std::unique_ptr<ArchiveWriter>> Create(const std::string& path,
                                                               const std::string& scp_path,
                                                               const std::string& name_in_scp = "");
  ~ArchiveWriter();  // closes, ignoring errors: call Close() to see them
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;

  // INVALID_ARGUMENT: an empty key or white space in it. `values`: [values.size() / cols, cols], row-major.
  absl::Status WriteMatrix(absl::string_view key, int64_t cols, absl::Span<const float> values);
  absl::Status WriteIntVector(absl::string_view key, absl::Span<const int32_t> values);
  // OK: the operating system has everything.
  absl::Status Close();

 private:
  ArchiveWriter() = default;
  absl::Status WriteEntry(absl::string_view key, absl::string_view object);

  std::string path_, scp_path_, name_in_scp_;
  std::FILE* archive_ = nullptr;
  std::FILE* scp_ = nullptr;
  int64_t offset_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_KALDI_WRITER_H_
