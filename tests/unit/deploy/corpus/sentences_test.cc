// Where on the data's way: guards deploy/corpus/: the sentences that are taken from fortunes.
#include "deploy/corpus/sentences.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Dictionary& SmallDictionary() {
  static const Dictionary dictionary = {"a",      "i",    "the",   "cat", "sat", "on",  "mat", "and", "dog",
                                        "didn't", "well", "known", "it",  "was", "'em", "b",   "rest"};
  return dictionary;
}

std::vector<std::string> Sentences(absl::string_view text) { return SentencesOf(text, SmallDictionary()); }

TEST(SentencesTest, SplitsEntriesIntoLowerCaseWords) {
  EXPECT_THAT(Sentences("The cat sat on the\nmat.  The dog didn't; the dog\tsat on a cat!\n%\nIt was "
                        "well-known: the cat sat.\n"),
              ElementsAre("the cat sat on the mat", "the dog sat on a cat", "it was well known the cat sat"));
}

TEST(SentencesTest, LeavesOutWhoSaidItAndOverstrikes) {
  EXPECT_THAT(Sentences("The cat sat on the ___\b\b\bmat.\n\t\t-- A Dog And A Cat And The Dog"),
              ElementsAre("the cat sat on the mat"));
}

TEST(SentencesTest, DropsWhatCouldBeReadInMoreThanOneWay) {
  EXPECT_THAT(
      Sentences("The 9 cat sat on the mat. The cat & dog sat on the mat. The cat (dog) sat on the mat."),
      IsEmpty());
  EXPECT_THAT(Sentences("B cat sat on the mat and."), IsEmpty()) << "a letter that is spelled";
  EXPECT_THAT(Sentences("The unicorn sat on the mat well."), IsEmpty()) << "a word outside the dictionary";
}

TEST(SentencesTest, TakesSixToTwentyFourWords) {
  EXPECT_THAT(Sentences("the cat sat on it"), IsEmpty());
  std::string words = "the";
  for (int i = 1; i < 24; ++i) absl::StrAppend(&words, " cat");
  EXPECT_THAT(Sentences(words), ElementsAre(words));
  EXPECT_THAT(Sentences(words + " cat"), IsEmpty());
}

TEST(SentencesTest, StripsQuotesThatAreNoPartOfAWord) {
  EXPECT_THAT(Sentences("\"The 'cat' sat on 'em and didn't rest\""),
              ElementsAre("the cat sat on 'em and didn't rest"));
}

TEST(SentencesTest, ReadsAFolderInNameOrderEachSentenceOnce) {
  const std::string folder = ::testing::TempDir() + "/fortune_files";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/b") << "the cat sat on the mat\n%\nthe dog sat on the mat\n";
  std::ofstream(folder + "/a") << "the dog sat on the cat\n%\nthe dog sat on the mat\n";
  std::ofstream(folder + "/a.dat") << "the dog was on the cat";
  const auto sentences = ReadSentences(folder, SmallDictionary());
  ASSERT_TRUE(sentences.ok()) << sentences.status();
  EXPECT_THAT(*sentences,
              ElementsAre("the dog sat on the cat", "the dog sat on the mat", "the cat sat on the mat"));
}

TEST(SentencesTest, NamesThePackageWhereThereAreNoFortunes) {
  const auto sentences = ReadSentences("/nowhere/fortunes", SmallDictionary());
  EXPECT_EQ(sentences.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(sentences.status().message()), HasSubstr("package fortunes"));
}

TEST(SentencesTest, PutsAboutEightPercentIntoTheTestPart) {
  int test = 0;
  for (int i = 0; i < 10000; ++i) test += IsTestSentence(absl::StrCat("sentence number ", i));
  EXPECT_NEAR(test, 800, 4 * 27.1);  // four standard deviations of a binomial
}

TEST(SentencesTest, FindsThousandsInDebiansFortunes) {
  const auto dictionary = ReadDictionary("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict");
  if (!dictionary.ok()) GTEST_SKIP() << dictionary.status();
  EXPECT_TRUE(dictionary->contains("hello"));
  const auto sentences = ReadSentences("/usr/share/games/fortunes", *dictionary);
  if (!sentences.ok()) GTEST_SKIP() << sentences.status();
  EXPECT_GT(sentences->size(), 10000u);
  for (const std::string& sentence : *sentences) {
    const std::vector<std::string> words = absl::StrSplit(sentence, ' ');
    for (const std::string& word : words) ASSERT_TRUE(dictionary->contains(word)) << sentence;
  }
}

}  // namespace
}  // namespace downpour
