// Where on the data's way: guards deploy/corpus/: frames of log-mel energies are as defined, and as Kaldi's.
#include "deploy/corpus/filterbank.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numbers>
#include <optional>

#include "common/file/file.h"
#include "common/random.h"
#include "gtest/gtest.h"
#include "worker/data/kaldi_io.h"

namespace downpour {
namespace {

// Kaldi's default filterbank, written a second time from its definition: plain sums, a direct Fourier sum,
// and long double throughout.
std::vector<long double> DerivedFrame(const int16_t* samples, int bins) {
  constexpr int kLength = 400, kSize = 512;
  const long double pi = std::numbers::pi_v<long double>;
  long double mean = 0;
  for (int i = 0; i < kLength; ++i) mean += samples[i] / static_cast<long double>(kLength);
  std::vector<long double> x(kLength);
  for (int i = 0; i < kLength; ++i) {
    const long double now = samples[i] - mean, before = samples[std::max(0, i - 1)] - mean;
    x[i] = (now - 0.97L * before) * std::pow(0.5L - 0.5L * std::cos(2 * pi * i / (kLength - 1)), 0.85L);
  }
  std::vector<long double> energies(bins);
  const auto mel = [](long double hz) { return 1127 * std::log(1 + hz / 700); };
  for (int line = 0; line < kSize / 2; ++line) {
    long double real = 0, imaginary = 0;
    for (int i = 0; i < kLength; ++i) {
      real += x[i] * std::cos(2 * pi * line * i / kSize);
      imaginary -= x[i] * std::sin(2 * pi * line * i / kSize);
    }
    // Position in units of the spacing between the bins' edges: bin b reaches from b to b + 2.
    const long double position =
        (mel(line * 16000.0L / kSize) - mel(20)) / (mel(8000) - mel(20)) * (bins + 1);
    for (int bin = 0; bin < bins; ++bin) {
      const long double weight = 1 - std::fabs(position - (bin + 1));
      if (weight > 0) energies[bin] += weight * (real * real + imaginary * imaginary);
    }
  }
  for (long double& energy : energies) energy = std::log(std::max(energy, 1.1920928955078125e-07L));
  return energies;
}

// Two gliding tones in noise, with an offset.
std::vector<int16_t> TestSpeech(int samples) {
  Random random(20120101);
  std::vector<int16_t> speech(samples);
  for (int i = 0; i < samples; ++i) {
    const double seconds = i / 16000.0;
    speech[i] = static_cast<int16_t>(
        300 + 6000 * std::sin(2 * std::numbers::pi * (150 + 900 * seconds) * seconds) +
        2500 * std::sin(2 * std::numbers::pi * (5000 - 3000 * seconds) * seconds) + 400 * random.Normal());
  }
  return speech;
}

TEST(FilterbankTest, AgreesWithTheDerivationTo1e3) {
  const std::vector<int16_t> speech = TestSpeech(400 + 19 * 160);
  const std::vector<float> frames = Filterbank(FilterbankOptions()).Compute(speech);
  ASSERT_EQ(frames.size(), 20u * 40);
  for (int frame = 0; frame < 20; ++frame) {
    const std::vector<long double> derived = DerivedFrame(&speech[frame * 160], 40);
    for (int bin = 0; bin < 40; ++bin) {
      ASSERT_NEAR(frames[frame * 40 + bin], static_cast<double>(derived[bin]), 1e-3)
          << "frame " << frame << " bin " << bin;
    }
  }
}

TEST(FilterbankTest, CountsFramesThatLieWhollyWithinTheSpeech) {
  const Filterbank filterbank{FilterbankOptions()};
  EXPECT_EQ(filterbank.FrameCount(0), 0);
  EXPECT_EQ(filterbank.FrameCount(399), 0);
  EXPECT_EQ(filterbank.FrameCount(400), 1);
  EXPECT_EQ(filterbank.FrameCount(559), 1);
  EXPECT_EQ(filterbank.FrameCount(560), 2);
  EXPECT_EQ(filterbank.FrameCount(16000), 98);
}

TEST(FilterbankTest, DigitalSilenceIsTheLogarithmOfFloatsEpsilon) {
  const std::vector<float> frames = Filterbank(FilterbankOptions()).Compute(std::vector<int16_t>(400, 123));
  for (const float energy : frames) EXPECT_NEAR(energy, -15.942385, 1e-5);
}

// Kaldi's reference files are not part of the product; the test looks for them beside the source tree.
std::optional<std::string> ReferenceFolder() {
  const char* given = std::getenv("DOWNPOUR_TEST_DATA");
  for (const std::string& folder :
       {std::string(given == nullptr ? "" : given), std::string(DOWNPOUR_SOURCE_DIR) + "/shared/data",
        std::string(DOWNPOUR_SOURCE_DIR) + "/../shared/data"}) {
    if (std::filesystem::exists(folder + "/kaldi/test.wav")) return folder + "/kaldi";
  }
  return std::nullopt;
}

#define SKIP_WITHOUT_REFERENCE(folder) \
  if (!folder)                         \
  GTEST_SKIP()                         \
      << "Kaldi's reference files (kaldi/test.wav) are neither in $DOWNPOUR_TEST_DATA nor in shared/data"

std::vector<int16_t> ReadWav(const std::string& path) {
  const std::string bytes = ReadFile(path).value();
  const size_t data = bytes.find("data") + 8;
  std::vector<int16_t> samples((bytes.size() - data) / 2);
  std::memcpy(samples.data(), bytes.data() + data, samples.size() * 2);
  return samples;
}

// An HTK parameter file: a header of 12 bytes (frames, period, bytes a frame, kind), then floats;
// all big-endian.
FloatMatrix ReadHtk(const std::string& path) {
  const std::string bytes = ReadFile(path).value();
  const auto big_endian = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    return value;
  };
  FloatMatrix matrix;
  matrix.rows = big_endian(0);
  matrix.cols = (big_endian(8) >> 16) / 4;
  for (size_t at = 12; at + 4 <= bytes.size(); at += 4)
    matrix.values.push_back(std::bit_cast<float>(big_endian(at)));
  return matrix;
}

void ExpectAgreesWithHtk(const std::string& name, double low_frequency_hz) {
  const auto folder = ReferenceFolder();
  SKIP_WITHOUT_REFERENCE(folder);
  FilterbankOptions options;
  options.bins = 23;
  options.low_frequency_hz = low_frequency_hz;
  options.remove_dc = false;
  options.preemphasis = 0;
  options.window = FilterbankOptions::Window::kHamming;
  options.energy_floor = 1;
  options.htk_first_line = true;
  const std::vector<float> frames = Filterbank(options).Compute(ReadWav(*folder + "/test.wav"));
  const FloatMatrix wanted = ReadHtk(*folder + "/" + name);
  ASSERT_EQ(wanted.cols, 23);
  ASSERT_EQ(static_cast<int64_t>(frames.size()), wanted.rows * wanted.cols);
  double largest = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(frames[i]) - wanted.values[i]));
  }
  EXPECT_LT(largest, 1e-3);
}

TEST(FilterbankTest, AgreesWithHtkFrom0Hz) { ExpectAgreesWithHtk("test.wav.fbank_htk.1", 0); }
TEST(FilterbankTest, AgreesWithHtkFrom25Hz) { ExpectAgreesWithHtk("test.wav.fbank_htk.2", 25); }

// Kaldi computes in float, so that its rounding errors show in bins that are almost silent.
void ExpectAgreesWithKaldi(const std::string& name, int bins) {
  const auto folder = ReferenceFolder();
  SKIP_WITHOUT_REFERENCE(folder);
  auto reader = ArchiveReader::Open(*folder + "/" + name);
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::string key;
  FloatMatrix wanted;
  ASSERT_TRUE((*reader)->NextKey(&key).value());
  ASSERT_TRUE((*reader)->ReadMatrix(&wanted).ok());
  FilterbankOptions options;
  options.bins = bins;
  const std::vector<float> frames = Filterbank(options).Compute(ReadWav(*folder + "/kf_test.wav"));
  ASSERT_EQ(wanted.cols, bins);
  ASSERT_EQ(frames.size(), wanted.values.size());
  double largest = 0, sum = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(frames[i]) - wanted.values[i]);
    largest = std::max(largest, difference);
    sum += difference;
  }
  EXPECT_LT(largest, 0.03);
  EXPECT_LT(sum / static_cast<double>(frames.size()), 1e-3);
}

TEST(FilterbankTest, AgreesWithKaldi23Bins) { ExpectAgreesWithKaldi("kf_test.txt", 23); }
TEST(FilterbankTest, AgreesWithKaldi40Bins) { ExpectAgreesWithKaldi("kf_test-40.txt", 40); }

}  // namespace
}  // namespace downpour
