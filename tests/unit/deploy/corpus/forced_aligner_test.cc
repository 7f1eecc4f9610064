// Where on the data's way: guards deploy/corpus/: each frame of speech gets the senone of the word that is
// spoken there.
#include "deploy/corpus/forced_aligner.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_split.h"
#include "deploy/corpus/filterbank.h"
#include "deploy/corpus/speech_synthesizer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ForcedAlignerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto created = ForcedAligner::Create(ForcedAlignerOptions());
    ASSERT_TRUE(created.ok()) << created.status();
    aligner_ = created->release();
    synthesizer_ = new SpeechSynthesizer;
  }
  static void TearDownTestSuite() {
    delete aligner_;
    delete synthesizer_;
  }

  static std::vector<int16_t> Speak(const std::string& words, uint64_t index) {
    auto samples = synthesizer_->Speak(words, DrawStyle(1, index));
    EXPECT_TRUE(samples.ok()) << samples.status();
    return samples.value_or(std::vector<int16_t>());
  }
  static absl::StatusOr<Alignment> Align(const std::vector<int16_t>& samples, const std::string& words) {
    return aligner_->Align(samples, absl::StrSplit(words, ' '));
  }

  static ForcedAligner* aligner_;
  static SpeechSynthesizer* synthesizer_;
};

ForcedAligner* ForcedAlignerTest::aligner_ = nullptr;
SpeechSynthesizer* ForcedAlignerTest::synthesizer_ = nullptr;

std::vector<std::string> Spoken(const Alignment& alignment) {
  std::vector<std::string> phones;
  for (const auto& phone : alignment.phones) {
    if (phone.name != "SIL" && phone.name[0] != '+') phones.push_back(phone.name);
  }
  return phones;
}

TEST_F(ForcedAlignerTest, KnowsTheModelsSenones) {
  EXPECT_EQ(aligner_->num_senones(), 5126);
  // +NSN+, +SPN+ and SIL have three states each, among the 126 context-independent ones.
  EXPECT_EQ(aligner_->silence_senones().size(), 9u);
  EXPECT_LT(aligner_->silence_senones().back(), 126);
}

TEST_F(ForcedAlignerTest, LabelsEveryFrameOfEveryVoice) {
  const std::set<int32_t> silence(aligner_->silence_senones().begin(), aligner_->silence_senones().end());
  for (uint64_t index = 0; index < 4; ++index) {
    const std::vector<int16_t> samples = Speak("the impossible takes a little longer", index);
    const auto alignment = Align(samples, "the impossible takes a little longer");
    ASSERT_TRUE(alignment.ok()) << alignment.status();
    const int64_t labels = static_cast<int64_t>(alignment->senones.size());
    const int64_t frames = Filterbank(FilterbankOptions()).FrameCount(static_cast<int64_t>(samples.size()));
    EXPECT_TRUE(labels == frames || labels == frames + 1) << labels << " labels, " << frames << " frames";
    EXPECT_TRUE(silence.contains(alignment->senones.front()));
    EXPECT_TRUE(silence.contains(alignment->senones.back()));
    int64_t silent = 0;
    for (const int32_t senone : alignment->senones) {
      ASSERT_TRUE(senone >= 0 && senone < aligner_->num_senones());
      silent += silence.contains(senone);
    }
    EXPECT_LT(silent, labels / 3);
  }
}

TEST_F(ForcedAlignerTest, PhonesAreTheDictionarysInOrderWithoutGaps) {
  const auto alignment = Align(Speak("seven brown cows", 1), "seven brown cows");
  ASSERT_TRUE(alignment.ok()) << alignment.status();
  EXPECT_THAT(Spoken(*alignment),
              ElementsAre("S", "EH", "V", "AH", "N", "B", "R", "AW", "N", "K", "AW", "Z"));
  EXPECT_EQ(alignment->phones.front().name, "SIL");
  EXPECT_EQ(alignment->phones.back().name, "SIL");
  int32_t next = 0;
  for (const auto& phone : alignment->phones) {
    EXPECT_EQ(phone.first_frame, next);
    EXPECT_GE(phone.frames, 3) << phone.name << ": an HMM of three states without skips";
    next += phone.frames;
  }
  EXPECT_EQ(next, static_cast<int32_t>(alignment->senones.size()));
}

TEST_F(ForcedAlignerTest, FindsPhonesWhereTheSoundsAre) {
  // With half a second of silence more at the sentence's end, the last sound must stay at its place.
  std::vector<int16_t> samples = Speak("seven brown cows", 2);
  const auto short_end = Align(samples, "seven brown cows");
  samples.insert(samples.begin(), 8000, 0);
  const auto long_start = Align(samples, "seven brown cows");
  ASSERT_TRUE(short_end.ok() && long_start.ok());
  const auto first_sound = [](const Alignment& a) {
    return std::find_if(a.phones.begin(), a.phones.end(), [](const auto& p) { return p.name == "S"; })
        ->first_frame;
  };
  EXPECT_NEAR(first_sound(*long_start), first_sound(*short_end) + 50, 8);
}

TEST_F(ForcedAlignerTest, PicksThePronunciationThatWasSaid) {
  // The voices say "the" as "thee" before a vowel, and the dictionary has it both ways.
  const auto vowel_of_the = [](const std::string& words, uint64_t index) {
    const auto alignment = Align(Speak(words, index), words);
    EXPECT_TRUE(alignment.ok()) << alignment.status();
    const std::vector<std::string> phones = Spoken(*alignment);
    return *std::next(std::find(phones.begin(), phones.end(), "DH"));
  };
  for (uint64_t index = 0; index < 4; ++index) {
    EXPECT_EQ(vowel_of_the("we read a book about the apple", index), "IY") << index;
    EXPECT_EQ(vowel_of_the("we read a book about the cow", index), "AH") << index;
  }
}

TEST_F(ForcedAlignerTest, DependsOnTheUtteranceAlone) {
  const std::vector<int16_t> samples = Speak("seven brown cows", 3);
  const auto first = Align(samples, "seven brown cows");
  ASSERT_TRUE(
      Align(Speak("the impossible takes a little longer", 1), "the impossible takes a little longer").ok());
  const auto again = Align(samples, "seven brown cows");
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->senones, again->senones);
}

TEST_F(ForcedAlignerTest, SpeechThatDoesNotFitTheWordsIsRefused) {
  const std::vector<int16_t> hello = Speak("hello", 0);
  EXPECT_EQ(Align(hello, "the impossible takes a little longer and then seven brown cows follow the general")
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Align({}, "hello").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Align(std::vector<int16_t>(100), "hello").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Align(hello, "hello").ok()) << "and the next one aligns";
}

TEST_F(ForcedAlignerTest, NamesAWordThatTheDictionaryLacks) {
  const auto alignment = Align(Speak("hello", 0), "hello zzyzzx");
  EXPECT_EQ(alignment.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(alignment.status().message()), HasSubstr("zzyzzx"));
}

TEST(ForcedAlignerCreateTest, NamesThePackageOfAMissingModel) {
  ForcedAlignerOptions options;
  options.model_folder = "/nowhere/en-us";
  const auto aligner = ForcedAligner::Create(options);
  EXPECT_EQ(aligner.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(aligner.status().message()), HasSubstr("/nowhere/en-us"));
  EXPECT_THAT(std::string(aligner.status().message()), HasSubstr("package pocketsphinx-en-us"));
}

TEST(ForcedAlignerCreateTest, TakesExtraPronunciations) {
  ForcedAlignerOptions options;
  options.extra_pronunciations = {{"zzyzzx", "HH AH L OW"}};
  const auto aligner = ForcedAligner::Create(options);
  ASSERT_TRUE(aligner.ok()) << aligner.status();
  SpeechSynthesizer synthesizer;
  const auto alignment = (*aligner)->Align(synthesizer.Speak("hello", DrawStyle(1, 1)).value(), {"zzyzzx"});
  ASSERT_TRUE(alignment.ok()) << alignment.status();
  EXPECT_THAT(Spoken(*alignment), ElementsAre("HH", "AH", "L", "OW"));
  options.extra_pronunciations = {{"zzyzzx", "NO PHONES"}};
  EXPECT_EQ(ForcedAligner::Create(options).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace downpour
