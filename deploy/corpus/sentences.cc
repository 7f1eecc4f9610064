// Where on the data's way: splits fortunes into sentences; keeps those whose words the dictionary has.
#include "deploy/corpus/sentences.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/file/crc32c.h"
#include "common/file/file.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr size_t kFewestWords = 6;
constexpr size_t kMostWords = 24;
constexpr uint32_t kTestPercent = 8;

// The text as on a terminal, where fortunes underline: a character after a backspace replaces the one before.
std::string Overstrike(absl::string_view text) {
  std::string shown;
  size_t place = 0;
  for (const char c : text) {
    if (c == '\b') {
      place -= place > 0;
      continue;
    }
    shown.resize(std::max(shown.size(), place + 1));
    shown[place++] = c;
  }
  return shown;
}

// The entry as one line, without the name of who said it.
std::string CleanEntry(absl::string_view entry) {
  const std::string line = absl::StrJoin(
      absl::StrSplit(Overstrike(entry), absl::ByAnyChar(" \t\r\n\v\f"), absl::SkipEmpty()), " ");
  return line.substr(0, line.find(" -- "));
}

std::vector<absl::string_view> SplitIntoSentences(absl::string_view text) {
  std::vector<absl::string_view> sentences;
  size_t begin = 0;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (absl::StrContains(".!?;", text.substr(i, 1)) && text[i + 1] == ' ') {
      sentences.push_back(text.substr(begin, i + 1 - begin));
      begin = i + 2;
    }
  }
  sentences.push_back(text.substr(std::min(begin, text.size())));
  return sentences;
}

// The sentence's words; empty if it cannot be used.
std::string Normalize(absl::string_view sentence, const Dictionary& dictionary) {
  while (absl::ConsumePrefix(&sentence, "\"") || absl::ConsumePrefix(&sentence, " ")) {
  }
  while (absl::ConsumeSuffix(&sentence, "\"") || absl::ConsumeSuffix(&sentence, " ")) {
  }
  std::string letters;
  for (const char c : sentence) {
    const bool letter = absl::ascii_isalpha(c) || c == '\'';
    if (!letter && !absl::StrContains(",.!?;: -", absl::string_view(&c, 1))) return "";
    letters.push_back(letter ? absl::ascii_tolower(c) : ' ');
  }
  std::vector<std::string> words;
  for (absl::string_view word : absl::StrSplit(letters, ' ', absl::SkipEmpty())) {
    if (!dictionary.contains(word)) {
      while (absl::ConsumePrefix(&word, "'") || absl::ConsumeSuffix(&word, "'")) {
      }
    }
    const bool spelled = word.size() == 1 && word != "a" && word != "i";
    if (spelled || !dictionary.contains(word)) return "";
    words.emplace_back(word);
  }
  return words.size() < kFewestWords || words.size() > kMostWords ? "" : absl::StrJoin(words, " ");
}

}  // namespace

absl::StatusOr<Dictionary> ReadDictionary(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        absl::StrCat(text.status().message(), "; Debian's package pocketsphinx-en-us has a dictionary"));
  }
  RETURN_IF_ERROR(text.status());
  Dictionary dictionary;
  for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    dictionary.emplace(line.substr(0, line.find_first_of(" \t")));
  }
  return dictionary;
}

std::vector<std::string> SentencesOf(absl::string_view text, const Dictionary& dictionary) {
  std::vector<std::string> sentences;
  for (const absl::string_view entry : absl::StrSplit(text, "\n%\n")) {
    const std::string clean = CleanEntry(entry);
    for (const absl::string_view sentence : SplitIntoSentences(clean)) {
      std::string words = Normalize(sentence, dictionary);
      if (!words.empty()) sentences.push_back(std::move(words));
    }
  }
  return sentences;
}

absl::StatusOr<std::vector<std::string>> ReadSentences(const std::string& folder,
                                                       const Dictionary& dictionary) {
  constexpr absl::string_view kPackage = "; Debian's package fortunes has it";
  std::error_code error;
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    const std::string extension = file.path().extension().string();
    if (file.is_regular_file(error) && extension != ".dat" && extension != ".u8")
      paths.push_back(file.path().string());
  }
  if (error) return absl::NotFoundError(absl::StrCat(folder, ": ", error.message(), kPackage));
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> sentences;
  absl::flat_hash_set<std::string> seen;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    for (std::string& sentence : SentencesOf(text, dictionary)) {
      if (seen.insert(sentence).second) sentences.push_back(std::move(sentence));
    }
  }
  if (sentences.empty()) return absl::NotFoundError(absl::StrCat(folder, ": no fortune file", kPackage));
  return sentences;
}

bool IsTestSentence(absl::string_view sentence) { return Crc32c(sentence) % 100 < kTestPercent; }

}  // namespace downpour
