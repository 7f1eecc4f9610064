// Where on the data's way: from sentence to speech.
#ifndef DOWNPOUR_DEPLOY_CORPUS_SPEECH_SYNTHESIZER_H_
#define DOWNPOUR_DEPLOY_CORPUS_SPEECH_SYNTHESIZER_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

struct cst_voice_struct;

namespace downpour {

inline constexpr int kSampleRateHz = 16000;

// How one utterance is spoken.
struct SpeakingStyle {
  int voice = 0;  // 0 kal16 (diphones), 1 awb, 2 rms, 3 slt (statistical)
  int warp = 0;   // 0..9: resampled by 0.92 + 0.02 warp, which scales formants as another vocal tract would
  double duration = 1;    // of each phone, relative to the voice's own; [0.85, 1.2)
  double pitch = 1;       // relative to the voice's own; [0.85, 1.2)
  double level_db = 0;    // (-10, 0]
  double snr_db = 40;     // speech to background noise; [20, 60)
  double noise_pole = 0;  // of the noise's low-pass filter, 0: white noise; [0, 0.95)
  uint64_t noise_seed = 0;

  // A speaker is a voice and a warp: "rms-w07".
  std::string speaker() const;
};

// The style of utterance `index` of the corpus with this seed. The voices take turns.
SpeakingStyle DrawStyle(uint64_t seed, uint64_t index);

// Speaks with flite's four 16 kHz voices. Not thread-safe, not even across objects: flite keeps its settings
// in the voices, which a process has only once.
class SpeechSynthesizer {
 public:
  SpeechSynthesizer();

  // Returns 16 kHz mono samples, which depend on words and style alone. INTERNAL: flite made no sound.
  absl::StatusOr<std::vector<int16_t>> Speak(const std::string& words, const SpeakingStyle& style);

 private:
  std::array<cst_voice_struct*, 4> voices_;  // owned by flite
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_SPEECH_SYNTHESIZER_H_
