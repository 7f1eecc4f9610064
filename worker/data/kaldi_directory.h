// Where on the data's way: from a Kaldi data directory on disk to utterances with frames and labels.
#ifndef DOWNPOUR_WORKER_DATA_KALDI_DIRECTORY_H_
#define DOWNPOUR_WORKER_DATA_KALDI_DIRECTORY_H_

#include "absl/status/statusor.h"
#include "worker/data/utterance.h"

namespace downpour {

// The last layer has a row for each class. A larger label or number of classes comes from damaged bytes.
inline constexpr int32_t kMostClasses = 1 << 20;

struct KaldiDirectory {
  // In the order of feats.scp, features as read. Plain f32 matrices (FM in a file that is not gzipped) are
  // read from the file, which stays mapped; all others are in memory.
  std::vector<Utterance> utterances;
  std::vector<int32_t> labels;  // from 0, below kMostClasses
  int32_t feature_dim = 0;
  int32_t num_pdfs = 0;               // from the file num_pdfs; 0: there is none
  std::vector<int32_t> silence_pdfs;  // from the file silence_pdfs, one id a line; empty: there is none
  std::vector<std::string> notes;
};

// Reads `directory`/feats.scp and the archives of pdf ids that match the glob `directory`/`alignments`,
// without *.scp. Utterances are left out, counted in `notes` with the first of them named, if they have no
// alignment, if its length is not their number of frames, or if a feature is NaN or infinite.
// INVALID_ARGUMENT: more than half of the utterances are left out for their alignments, or all for any
// reason; a feature dimension unlike the first utterance's; a label outside [0, kMostClasses); a key twice;
// num_pdfs or silence_pdfs is no number or beyond kMostClasses. NOT_FOUND: no feats.scp, no alignments, an
// archive missing. UNAVAILABLE: num_pdfs or silence_pdfs cannot be read. Others: as kaldi_io.h.
absl::StatusOr<KaldiDirectory> ReadKaldiDirectory(const std::string& directory,
                                                  const std::string& alignments);

// Reads the file silence_pdfs of `directory` alone. Statuses as ReadKaldiDirectory gives for that file.
absl::StatusOr<std::vector<int32_t>> ReadSilencePdfs(const std::string& directory);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_KALDI_DIRECTORY_H_
