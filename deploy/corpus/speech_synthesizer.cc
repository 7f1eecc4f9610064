// Where on the data's way: flite speaks, then the samples are resampled and get noise.
#include "deploy/corpus/speech_synthesizer.h"

#include <flite/flite.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "common/random.h"

extern "C" {
#include <flite/cst_cg.h>

cst_voice* register_cmu_us_kal16(const char* folder);
cst_voice* register_cmu_us_awb(const char* folder);
cst_voice* register_cmu_us_rms(const char* folder);
cst_voice* register_cmu_us_slt(const char* folder);
}

namespace downpour {
namespace {

constexpr std::array<const char*, 4> kVoiceNames = {"kal16", "awb", "rms", "slt"};
constexpr uint64_t kWarps = 10;

double Between(double low, double high, Random* random) { return low + (high - low) * random->Uniform(); }

double RootMeanSquare(absl::Span<const float> samples) {
  double sum = 0;
  for (const float x : samples) sum += static_cast<double>(x) * x;
  return std::sqrt(sum / static_cast<double>(samples.size()));
}

// Reads the samples at multiples of `step`, interpolating linearly.
std::vector<float> Resample(absl::Span<const short> samples, double step) {
  std::vector<float> resampled(static_cast<size_t>((static_cast<double>(samples.size()) - 1) / step));
  for (size_t i = 0; i < resampled.size(); ++i) {
    const double position = static_cast<double>(i) * step;
    const size_t before = static_cast<size_t>(position);
    const double fraction = position - static_cast<double>(before);
    resampled[i] = static_cast<float>((1 - fraction) * samples[before] + fraction * samples[before + 1]);
  }
  return resampled;
}

using Utterance = std::unique_ptr<cst_utterance, void (*)(cst_utterance*)>;
using Track = std::unique_ptr<cst_track, void (*)(cst_track*)>;
using Wave = std::unique_ptr<cst_wave, void (*)(cst_wave*)>;

// For a voice whose accent model ignores f0_shift (rms): scales its pitch track and synthesizes again.
Wave AtPitch(double pitch, cst_cg_db* voice, const cst_utterance* utterance) {
  cst_track* track = val_track(feat_val(utterance->features, "param_track"));
  for (int i = 0; i < track->num_frames; ++i)
    track->frames[i][0] *= static_cast<float>(pitch);  // 0: unvoiced
  const Track smooth(mlpg(track, voice), delete_track);
  cst_track* excitation = val_track(feat_val(utterance->features, "str_track"));
  return Wave(mlsa_resynthesis(smooth.get(), excitation, voice, nullptr, 0), delete_wave);
}

// Null: flite made no sound.
Wave Synthesize(const std::string& words, double pitch, cst_voice* voice) {
  const Utterance utterance(flite_synth_text(words.c_str(), voice), delete_utterance);
  if (utterance == nullptr) return Wave(nullptr, delete_wave);
  const cst_val* statistical = feat_val(voice->features, "cg_db");
  if (statistical != nullptr && val_cg_db(statistical)->spamf0 != 0)
    return AtPitch(pitch, val_cg_db(statistical), utterance.get());
  return Wave(copy_wave(utt_wave(utterance.get())), delete_wave);
}

std::vector<int16_t> AddNoise(absl::Span<const float> speech, const SpeakingStyle& style) {
  const double gain = std::pow(10, style.level_db / 20);
  const double noise_level = gain * RootMeanSquare(speech) * std::pow(10, -style.snr_db / 20);
  // White noise of this level leaves the low-pass filter at noise_level.
  const double drive = noise_level * std::sqrt(1 - style.noise_pole * style.noise_pole);
  Random random(style.noise_seed);
  std::vector<int16_t> samples(speech.size());
  double noise = 0;
  for (size_t i = 0; i < speech.size(); ++i) {
    noise = style.noise_pole * noise + drive * random.Normal();
    samples[i] = static_cast<int16_t>(std::clamp(std::lround(gain * speech[i] + noise), -32768L, 32767L));
  }
  return samples;
}

}  // namespace

std::string SpeakingStyle::speaker() const { return absl::StrFormat("%s-w%02d", kVoiceNames[voice], warp); }

SpeakingStyle DrawStyle(uint64_t seed, uint64_t index) {
  Random random(seed, index);
  SpeakingStyle style;
  style.voice = static_cast<int>(index % kVoiceNames.size());
  style.warp = static_cast<int>(random.Below(kWarps));
  style.duration = Between(0.85, 1.2, &random);
  style.pitch = Between(0.85, 1.2, &random);
  style.level_db = Between(-10, 0, &random);
  style.snr_db = Between(20, 60, &random);
  style.noise_pole = Between(0, 0.95, &random);
  style.noise_seed = random.Next();
  return style;
}

SpeechSynthesizer::SpeechSynthesizer() {
  flite_init();
  voices_ = {register_cmu_us_kal16(nullptr), register_cmu_us_awb(nullptr), register_cmu_us_rms(nullptr),
             register_cmu_us_slt(nullptr)};
}

absl::StatusOr<std::vector<int16_t>> SpeechSynthesizer::Speak(const std::string& words,
                                                              const SpeakingStyle& style) {
  cst_voice* voice = voices_[style.voice];
  flite_feat_set_float(voice->features, "duration_stretch", static_cast<float>(style.duration));
  flite_feat_set_float(voice->features, "f0_shift", static_cast<float>(style.pitch));
  // flite's statistical voices use rand() to excite their filter.
  std::srand(static_cast<unsigned>(style.noise_seed));
  const Wave wave = Synthesize(words, style.pitch, voice);
  if (wave == nullptr || wave->num_samples < 2 || wave->sample_rate != kSampleRateHz) {
    return absl::InternalError(
        absl::StrCat("flite's voice ", kVoiceNames[style.voice], " made no 16 kHz sound of \"", words, "\""));
  }
  const std::vector<float> speech =
      Resample(absl::MakeConstSpan(wave->samples, wave->num_samples), 0.92 + 0.02 * style.warp);
  return AddNoise(speech, style);
}

}  // namespace downpour
