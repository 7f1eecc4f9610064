// Where on the data's way: speaks or decodes an utterance, aligns it, and computes its frames.
#include "deploy/corpus/utterance_maker.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"

namespace downpour {

absl::StatusOr<std::unique_ptr<UtteranceMaker>> UtteranceMaker::Create(std::vector<std::string> sentences,
                                                                       uint64_t seed,
                                                                       const ForcedAlignerOptions& aligner) {
  std::unique_ptr<UtteranceMaker> maker(new UtteranceMaker(std::move(sentences), seed));
  ForcedAlignerOptions options = aligner;
  options.extra_pronunciations.insert(options.extra_pronunciations.end(), PromptPronunciations().begin(),
                                      PromptPronunciations().end());
  ASSIGN_OR_RETURN(maker->aligner_, ForcedAligner::Create(options));
  return maker;
}

absl::StatusOr<SpokenUtterance> UtteranceMaker::Speak(int64_t index) {
  const SpeakingStyle style = DrawStyle(seed_, static_cast<uint64_t>(index));
  SpokenUtterance utterance;
  utterance.speaker = style.speaker();
  utterance.key = absl::StrFormat("%s-%07d", utterance.speaker, index);
  utterance.text = sentences_[index % static_cast<int64_t>(sentences_.size())];
  ASSIGN_OR_RETURN(const std::vector<int16_t> samples, synthesizer_.Speak(utterance.text, style));
  AddFrames(samples, &utterance);
  return utterance;
}

absl::StatusOr<SpokenUtterance> UtteranceMaker::Recorded(const HumanPrompt& prompt,
                                                         const std::string& sounds) {
  SpokenUtterance utterance;
  utterance.speaker = kHumanSpeaker;
  utterance.key = absl::StrCat(kHumanSpeaker, "-", absl::StrReplaceAll(prompt.name, {{"/", "-"}}));
  utterance.text = prompt.words;
  utterance.dropped = prompt.dropped;
  if (!utterance.dropped.empty()) return utterance;
  ASSIGN_OR_RETURN(const std::vector<int16_t> samples,
                   ReadG722(absl::StrCat(sounds, "/", prompt.name, ".g722")));
  AddFrames(samples, &utterance);
  return utterance;
}

void UtteranceMaker::AddFrames(absl::Span<const int16_t> samples, SpokenUtterance* utterance) {
  absl::StatusOr<Alignment> alignment = aligner_->Align(samples, absl::StrSplit(utterance->text, ' '));
  if (!alignment.ok()) {
    utterance->dropped = std::string(alignment.status().message());
    return;
  }
  const size_t frames = static_cast<size_t>(filterbank_.FrameCount(static_cast<int64_t>(samples.size())));
  std::vector<int32_t>& senones = alignment->senones;
  if (senones.size() == frames + 1) senones.pop_back();
  if (senones.size() != frames) {
    utterance->dropped = "labels and frames differ in number";
    return;
  }
  utterance->features = filterbank_.Compute(samples);
  utterance->pdfs = std::move(senones);
}

}  // namespace downpour
