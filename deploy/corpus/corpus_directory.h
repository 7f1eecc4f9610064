// Where on the data's way: from the corpus's shards to a Kaldi data directory, which training reads.
#ifndef DOWNPOUR_DEPLOY_CORPUS_CORPUS_DIRECTORY_H_
#define DOWNPOUR_DEPLOY_CORPUS_CORPUS_DIRECTORY_H_

#include <functional>

#include "deploy/corpus/corpus_shard.h"

namespace downpour {

inline constexpr double kFramesAnHour = 360000;  // one each 10 ms

// What is the same for all parts of a corpus.
struct CorpusClasses {
  int bins = 0;
  int32_t num_pdfs = 0;
  std::vector<int32_t> silence_pdfs;  // ascending
};

// Writes folder `path`, whole or not at all, sorted by key as Kaldi wants it, without the utterances that
// were dropped:
//   feats.ark, feats.scp   float matrices (FM: uncompressed, so that the energies are as exact as they were
//                          computed; 58 MB an hour). The scp says just "feats.ark": it may be moved.
//   pdf.ark                senone of each frame, zero-based
//   text, utt2spk, spk2utt
//   num_pdfs               the number of senones
//   silence_pdfs           senones of silence and noise, one a line
// Returns the part's summary: "train: 1,766 utterances, 1.84 h, ...; dropped 2: 2 no sound file". `written`
// is called after each utterance; if it fails, nothing more is written and its status is returned. DATA_LOSS:
// a shard is damaged. RESOURCE_EXHAUSTED, UNAVAILABLE: as ArchiveWriter.
absl::StatusOr<std::string> WriteCorpusDirectory(const std::string& path,
                                                 std::vector<StoredUtterance> utterances,
                                                 const CorpusClasses& classes,
                                                 const std::function<absl::Status()>& written);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_CORPUS_DIRECTORY_H_
