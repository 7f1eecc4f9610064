// Where on the data's way: guards deploy/corpus/: the speech made of a sentence.
#include "deploy/corpus/speech_synthesizer.h"

#include <cmath>
#include <set>

#include "gtest/gtest.h"

namespace downpour {
namespace {

constexpr char kWords[] = "the impossible takes a little longer";

std::vector<int16_t> Speak(SpeechSynthesizer& synthesizer, const SpeakingStyle& style) {
  auto samples = synthesizer.Speak(kWords, style);
  EXPECT_TRUE(samples.ok()) << samples.status();
  return samples.value_or(std::vector<int16_t>());
}

double MeanSquare(const std::vector<int16_t>& samples) {
  double sum = 0;
  for (const int16_t x : samples) sum += static_cast<double>(x) * x;
  return sum / static_cast<double>(samples.size());
}

SpeakingStyle Plain(int voice) {
  SpeakingStyle style;
  style.voice = voice;
  style.warp = 4;  // no warp: 0.92 + 4 * 0.02 = 1
  style.snr_db = 100;
  return style;
}

TEST(SpeechSynthesizerTest, SameStyleGivesTheSameSamplesWhateverWasSpokenBefore) {
  SpeechSynthesizer synthesizer;
  for (int voice = 0; voice < 4; ++voice) {
    const SpeakingStyle style = DrawStyle(7, static_cast<uint64_t>(voice));
    ASSERT_EQ(style.voice, voice);
    const std::vector<int16_t> first = Speak(synthesizer, style);
    ASSERT_GT(first.size(), 16000u) << style.speaker();
    Speak(synthesizer, DrawStyle(8, static_cast<uint64_t>(voice)));
    EXPECT_EQ(Speak(synthesizer, style), first) << style.speaker();
  }
}

TEST(SpeechSynthesizerTest, DurationPitchWarpAndSeedAllChangeTheSpeech) {
  SpeechSynthesizer synthesizer;
  for (int voice = 0; voice < 4; ++voice) {
    const SpeakingStyle plain = Plain(voice);
    const std::vector<int16_t> speech = Speak(synthesizer, plain);
    SpeakingStyle slow = plain;
    slow.duration = 1.2;
    EXPECT_NEAR(Speak(synthesizer, slow).size() / static_cast<double>(speech.size()), 1.2, 0.06);
    SpeakingStyle high = plain;
    high.pitch = 1.15;
    EXPECT_NE(Speak(synthesizer, high), speech) << voice;
    SpeakingStyle warped = plain;
    warped.warp = 9;
    EXPECT_NEAR(speech.size() / static_cast<double>(Speak(synthesizer, warped).size()), 1.10, 0.001);
    SpeakingStyle noisy = plain, otherwise_noisy = plain;
    noisy.snr_db = otherwise_noisy.snr_db = 30;
    otherwise_noisy.noise_seed = 1;
    EXPECT_NE(Speak(synthesizer, noisy), Speak(synthesizer, otherwise_noisy));
  }
}

TEST(SpeechSynthesizerTest, NoiseHasTheDrawnLevelWhateverItsColour) {
  SpeechSynthesizer synthesizer;
  const std::vector<int16_t> clean = Speak(synthesizer, Plain(2));
  for (const double pole : {0.0, 0.9}) {
    SpeakingStyle style = Plain(2);
    style.snr_db = 20;
    style.noise_pole = pole;
    std::vector<int16_t> noise = Speak(synthesizer, style);
    ASSERT_EQ(noise.size(), clean.size());
    for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<int16_t>(noise[i] - clean[i]);
    EXPECT_NEAR(10 * std::log10(MeanSquare(clean) / MeanSquare(noise)), 20, 0.5) << pole;
  }
}

TEST(SpeechSynthesizerTest, LevelScalesTheSpeech) {
  SpeechSynthesizer synthesizer;
  SpeakingStyle soft = Plain(3);
  soft.level_db = -6;
  EXPECT_NEAR(
      10 * std::log10(MeanSquare(Speak(synthesizer, Plain(3))) / MeanSquare(Speak(synthesizer, soft))), 6,
      0.1);
}

TEST(SpeechSynthesizerTest, DrawsFortySpeakersWithinTheirRanges) {
  std::set<std::string> speakers;
  for (uint64_t i = 0; i < 2000; ++i) {
    const SpeakingStyle style = DrawStyle(1, i);
    speakers.insert(style.speaker());
    EXPECT_TRUE(style.duration >= 0.85 && style.duration < 1.2);
    EXPECT_TRUE(style.pitch >= 0.85 && style.pitch < 1.2);
    EXPECT_TRUE(style.level_db >= -10 && style.level_db < 0);
    EXPECT_TRUE(style.snr_db >= 20 && style.snr_db < 60);
    EXPECT_TRUE(style.noise_pole >= 0 && style.noise_pole < 0.95);
  }
  EXPECT_EQ(speakers.size(), 40u);
  EXPECT_NE(DrawStyle(1, 5).pitch, DrawStyle(2, 5).pitch);
}

}  // namespace
}  // namespace downpour
