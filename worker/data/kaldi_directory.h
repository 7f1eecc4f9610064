// Where on the data's way: from a Kaldi data directory on disk to utterances with frames and labels.
#ifndef DOWNPOUR_WORKER_DATA_KALDI_DIRECTORY_H_
#define DOWNPOUR_WORKER_DATA_KALDI_DIRECTORY_H_

#include "absl/status/statusor.h"
#include "worker/data/kaldi_features.h"
#include "worker/data/utterance.h"

namespace downpour {

// How many frames an utterance's alignment may be shorter or longer than its features, which some front ends
// and Kaldi's own (--snip-edges) differ by. Both are cut to the shorter, as by Kaldi's nnet-train-frmshuff,
// which allows as many.
inline constexpr int64_t kMostFramesCut = 5;

struct KaldiDirectory {
  // In the order of feats.scp, features as read, mapped or in memory (kaldi_features.h).
  std::vector<Utterance> utterances;
  std::vector<int32_t> labels;  // from 0, below kMostClasses
  int32_t feature_dim = 0;
  int32_t num_pdfs = 0;               // from the file num_pdfs; 0: there is none
  std::vector<int32_t> silence_pdfs;  // from the file silence_pdfs, one id a line; empty: there is none
  std::vector<std::string> notes;
  int64_t bytes_passed = 0;  // of the features' archives, as ByteSource counts them
};

// Reads `directory`/feats.scp and the archives of pdf ids that match the glob `directory`/`alignments`,
// without *.scp. Utterances are left out, counted in `notes` with the first of them named, if they have no
// alignment, if its length is not their number of frames within kMostFramesCut, or if a feature is NaN or
// infinite. Those that are cut are counted there too.
// INVALID_ARGUMENT: more than half of the utterances are left out for their alignments, or all for any
// reason; a feature dimension unlike the first utterance's; a label outside [0, kMostClasses); a key twice;
// num_pdfs or silence_pdfs is no number or beyond kMostClasses. NOT_FOUND: no feats.scp, no alignments, an
// archive missing. UNAVAILABLE: num_pdfs or silence_pdfs cannot be read. Others: as kaldi_features.h.
absl::StatusOr<KaldiDirectory> ReadKaldiDirectory(const std::string& directory, const std::string& alignments,
                                                  const FeatureOptions& options = {});

// Reads the file silence_pdfs of `directory` alone. Statuses as ReadKaldiDirectory gives for that file.
absl::StatusOr<std::vector<int32_t>> ReadSilencePdfs(const std::string& directory);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_KALDI_DIRECTORY_H_
