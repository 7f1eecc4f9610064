// Where on the data's way: from a sentence or a recording to one utterance of frames and senones.
#ifndef DOWNPOUR_DEPLOY_CORPUS_UTTERANCE_MAKER_H_
#define DOWNPOUR_DEPLOY_CORPUS_UTTERANCE_MAKER_H_

#include "deploy/corpus/corpus_shard.h"
#include "deploy/corpus/filterbank.h"
#include "deploy/corpus/forced_aligner.h"
#include "deploy/corpus/human_prompts.h"
#include "deploy/corpus/speech_synthesizer.h"

namespace downpour {

// Makes the utterances of the corpus. Not thread-safe.
class UtteranceMaker {
 public:
  // `sentences`: in the order in which they are spoken; not empty. Statuses as ForcedAligner::Create.
  static absl::StatusOr<std::unique_ptr<UtteranceMaker>> Create(std::vector<std::string> sentences,
                                                                uint64_t seed,
                                                                const ForcedAlignerOptions& aligner);

  int bins() const { return filterbank_options_.bins; }
  int32_t num_senones() const { return aligner_->num_senones(); }
  const std::vector<int32_t>& silence_senones() const { return aligner_->silence_senones(); }

  // Makes utterance `index` >= 0 of the endless list. INTERNAL: flite made no sound.
  absl::StatusOr<SpokenUtterance> Speak(int64_t index);
  // Makes the utterance of a recorded prompt in folder `sounds`. Statuses as ReadG722.
  absl::StatusOr<SpokenUtterance> Recorded(const HumanPrompt& prompt, const std::string& sounds);

 private:
  UtteranceMaker(std::vector<std::string> sentences, uint64_t seed)
      : sentences_(std::move(sentences)), seed_(seed) {}
  // Fills `features` and `pdfs`, or else `dropped`. If there is one label more than frames, drops the last
  // label: pocketsphinx pads the last window, which Kaldi leaves out.
  void AddFrames(absl::Span<const int16_t> samples, SpokenUtterance* utterance);

  std::vector<std::string> sentences_;
  uint64_t seed_;
  FilterbankOptions filterbank_options_;
  Filterbank filterbank_{filterbank_options_};
  SpeechSynthesizer synthesizer_;
  std::unique_ptr<ForcedAligner> aligner_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_UTTERANCE_MAKER_H_
