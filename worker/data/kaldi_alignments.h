// Where on the data's way: from the alignments of a Kaldi data directory to labels by utterance.
#ifndef DOWNPOUR_WORKER_DATA_KALDI_ALIGNMENTS_H_
#define DOWNPOUR_WORKER_DATA_KALDI_ALIGNMENTS_H_

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace downpour {

// The last layer has a row for each class. A larger label or number of classes comes from damaged bytes.
inline constexpr int32_t kMostClasses = 1 << 20;

struct Alignments {
  absl::flat_hash_map<std::string, std::vector<int32_t>> labels;  // by utterance; from 0, below kMostClasses
  std::vector<std::string> notes;                                 // files that end without a line end
};

// Reads the archives of pdf ids that match the glob `directory`/`pattern`, without *.scp and folders; only `pattern` may
// have glob's special characters. INVALID_ARGUMENT: a label outside [0, kMostClasses), or a key twice.
// NOT_FOUND: no such file. Others: as kaldi_io.h.
absl::StatusOr<Alignments> ReadAlignments(const std::string& directory, const std::string& pattern);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_KALDI_ALIGNMENTS_H_
