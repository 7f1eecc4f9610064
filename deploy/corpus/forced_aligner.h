// Where on the data's way: from speech and its words to one senone a frame, by a GMM-HMM as in the paper.
#ifndef DOWNPOUR_DEPLOY_CORPUS_FORCED_ALIGNER_H_
#define DOWNPOUR_DEPLOY_CORPUS_FORCED_ALIGNER_H_

#include <utility>

#include "absl/types/span.h"
#include "deploy/corpus/state_alignment.h"

namespace downpour {

struct ForcedAlignerOptions {
  // Where Debian's pocketsphinx-en-us puts its 5,126-senone model and its pronouncing dictionary.
  std::string model_folder = "/usr/share/pocketsphinx/model/en-us/en-us";
  std::string dictionary = "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict";
  // Words that the dictionary lacks, with their phones: {"unmute", "AH N M Y UW T"}.
  std::vector<std::pair<std::string, std::string>> extra_pronunciations;
};

// Runs pocketsphinx twice. The first pass takes the words as a linear grammar and finds how each was
// pronounced and where silence and noise are. The second pass aligns the HMM states of what was found.
// Pocketsphinx carries its top-N Gaussians over from one utterance to the next, which can change a result;
// therefore the corpus maker forks a fresh copy for each shard. Not thread-safe.
class ForcedAligner {
 public:
  // NOT_FOUND: no model or dictionary (its package is named). UNIMPLEMENTED: another version of pocketsphinx.
  static absl::StatusOr<std::unique_ptr<ForcedAligner>> Create(const ForcedAlignerOptions& options);
  ~ForcedAligner();

  int32_t num_senones() const { return states_->num_senones(); }
  const std::vector<int32_t>& silence_senones() const { return states_->silence_senones(); }

  // `samples`: 16 kHz mono. `words` are in the dictionary. The alignment has as many frames as windows of 25
  // ms, shifted by 10 ms, fit into the samples, or one more. NOT_FOUND: a word is not in the dictionary.
  // FAILED_PRECONDITION: the speech does not fit the words, or is too short or too long.
  absl::StatusOr<Alignment> Align(absl::Span<const int16_t> samples, const std::vector<std::string>& words);

 private:
  explicit ForcedAligner(ps_decoder_s* decoder) : decoder_(decoder) {}
  // The first pass: returns the pronunciations of `words` that were said, with the fillers between them.
  absl::StatusOr<std::vector<std::string>> FindPronunciations(absl::Span<const int16_t> samples,
                                                              const std::vector<std::string>& words);

  ps_decoder_s* decoder_;  // owned
  std::unique_ptr<StateAlignment> states_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_FORCED_ALIGNER_H_
