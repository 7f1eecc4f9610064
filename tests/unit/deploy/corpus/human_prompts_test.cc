// Where on the data's way: guards deploy/corpus/: the recordings of a human speaker and the words that
// she says.
#include "deploy/corpus/human_prompts.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Dictionary& SmallDictionary() {
  static const Dictionary dictionary = {"press", "seven", "to",       "two", "call",  "forward", "visit",
                                        "dot",   "org",   "asterisk", "say", "don't", "three",   "d"};
  return dictionary;
}

std::string Normalize(const std::string& transcript, std::vector<std::string>* unknown) {
  return NormalizePrompt(transcript, SmallDictionary(), unknown);
}

TEST(HumanPromptsTest, WritesOutWhatIsSaid) {
  std::vector<std::string> unknown;
  EXPECT_EQ(Normalize(" Press 7 to call-forward...", &unknown), "press seven to call forward");
  EXPECT_EQ(Normalize("visit asterisk.org.", &unknown), "visit asterisk dot org");
  EXPECT_EQ(Normalize("3D", &unknown), "three d");
  EXPECT_EQ(Normalize("Say 'don't' [a tone] (note: say \"2\")", &unknown), "say don't");
  EXPECT_EQ(Normalize("unmute", &unknown), "unmute") << "one of the words with a pronunciation here";
  EXPECT_EQ(Normalize("<beep>", &unknown), "");
  EXPECT_THAT(unknown, IsEmpty());
}

TEST(HumanPromptsTest, NamesWordsItDoesNotKnow) {
  std::vector<std::string> unknown;
  Normalize("Press 500 to frobnicate", &unknown);
  EXPECT_THAT(unknown, ElementsAre("500", "frobnicate"));
}

TEST(HumanPromptsTest, SaysWhyAPromptIsDropped) {
  const std::string folder = ::testing::TempDir() + "/prompts";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder + "/digits");
  for (const char* name : {"beep", "digits/7", "odd"}) std::ofstream(folder + "/" + name + ".g722") << "x";
  std::ofstream(folder + "/text")
      << "; a comment\n\ndigits/7: seven\nbeep: [beep]\nodd: frobnicate\ngone: seven\n";
  const auto prompts = ReadHumanPrompts(folder + "/text", folder, SmallDictionary());
  ASSERT_TRUE(prompts.ok()) << prompts.status();
  ASSERT_EQ(prompts->size(), 4u);
  EXPECT_EQ((*prompts)[0].name, "beep");
  EXPECT_THAT((*prompts)[0].dropped, HasSubstr("no words"));
  EXPECT_EQ((*prompts)[1].words, "seven");
  EXPECT_EQ((*prompts)[1].dropped, "");
  EXPECT_EQ((*prompts)[2].dropped, "no sound file");
  EXPECT_EQ((*prompts)[3].dropped, "words not in the dictionary");
}

TEST(HumanPromptsTest, NamesThePackagesThatAreMissing) {
  const auto no_text = ReadHumanPrompts("/nowhere/text", ::testing::TempDir(), SmallDictionary());
  EXPECT_EQ(no_text.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(no_text.status().message()), HasSubstr("package asterisk-core-sounds-en"));
  std::ofstream(::testing::TempDir() + "/some_text") << "a: b\n";
  const auto no_sounds =
      ReadHumanPrompts(::testing::TempDir() + "/some_text", "/nowhere/sounds", SmallDictionary());
  EXPECT_EQ(no_sounds.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(no_sounds.status().message()), HasSubstr("package asterisk-core-sounds-en-g722"));
}

// At most four of the real prompts are left out.
TEST(HumanPromptsTest, TheRealTranscriptsCanAllButAlwaysBeAligned) {
  const auto dictionary = ReadDictionary("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict");
  if (!dictionary.ok()) GTEST_SKIP() << dictionary.status();
  const auto prompts = ReadHumanPrompts("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz",
                                        "/usr/share/asterisk/sounds/en_US_f_Allison", *dictionary);
  if (!prompts.ok()) GTEST_SKIP() << prompts.status();
  EXPECT_GE(prompts->size(), 544u);
  EXPECT_GE(std::count_if(prompts->begin(), prompts->end(), [](const auto& p) { return p.dropped.empty(); }),
            540);
}

TEST(HumanPromptsTest, DecodesADigitSpokenByAHuman) {
  const std::string path = "/usr/share/asterisk/sounds/en_US_f_Allison/digits/7.g722";
  const auto samples = ReadG722(path);
  if (!samples.ok()) GTEST_SKIP() << samples.status();
  EXPECT_EQ(samples->size(), 2 * std::filesystem::file_size(path)) << "64 kbit/s: two samples a byte";
  double sum = 0;
  for (const int16_t x : *samples) sum += static_cast<double>(x) * x;
  const double level = std::sqrt(sum / static_cast<double>(samples->size()));
  EXPECT_GT(level, 300) << "speech, not silence";
  EXPECT_LT(level, 10000) << "speech, not bytes taken for samples";
}

}  // namespace
}  // namespace downpour
