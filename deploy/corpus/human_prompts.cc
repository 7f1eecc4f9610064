// Where on the data's way: reads transcripts as words of the dictionary, and decodes G.722 files.
#include "deploy/corpus/human_prompts.h"

#include <spandsp/telephony.h>
// After telephony.h, which it needs.
#include <spandsp/g722.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/file/file.h"
#include "common/status_macros.h"
#include "worker/data/byte_source.h"

namespace downpour {
namespace {

constexpr int kBitsPerSecond = 64000;
constexpr int kSamplesPerByte = 2;
constexpr absl::string_view kDigits[] = {"zero", "one", "two",   "three", "four",
                                         "five", "six", "seven", "eight", "nine"};

// Leaves out what stands in (), [] and <>, because it is not said; the rest in lower case.
std::string WithoutBrackets(absl::string_view text) {
  std::string said;
  int depth = 0;
  for (const char c : text) {
    if (c == '(' || c == '[' || c == '<') ++depth;
    if (depth == 0) said.push_back(absl::ascii_tolower(c));
    if (c == ')' || c == ']' || c == '>') depth = std::max(0, depth - 1);
  }
  return said;
}

// Splits into words of letters and apostrophes, and numbers. A point between letters becomes "dot".
std::vector<std::string> Tokens(absl::string_view text) {
  std::vector<std::string> tokens(1);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool follows_letter = !tokens.back().empty() && absl::ascii_isalpha(tokens.back().back());
    const bool follows_digit = !tokens.back().empty() && absl::ascii_isdigit(tokens.back().back());
    if (absl::ascii_isalnum(c) || c == '\'') {
      if (absl::ascii_isdigit(c) ? follows_letter : follows_digit) tokens.emplace_back();
      tokens.back().push_back(c);
    } else {
      if (c == '.' && follows_letter && i + 1 < text.size() && absl::ascii_isalpha(text[i + 1]))
        tokens.push_back("dot");
      tokens.emplace_back();
    }
  }
  std::erase(tokens, "");
  return tokens;
}

absl::Status NotInstalled(const std::string& path, absl::string_view package) {
  return absl::NotFoundError(absl::StrCat(path, ": not there; it is in Debian's package ", package));
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& PromptPronunciations() {
  // Some words are misspelled in the transcripts; their phones are those of the right word, which is said.
  static const auto* const kPronunciations = new std::vector<std::pair<std::string, std::string>>{
      {"backtick", "B AE K T IH K"},
      {"caret", "K EH R AH T"},
      {"dahdi", "D AA D IY"},
      {"digium", "D IH JH IY AH M"},
      {"exclaimation", "EH K S K L AH M EY SH AH N"},
      {"forevermore", "F ER EH V ER M AO R"},
      {"fourtieth", "F AO R T IY IH TH"},
      {"iax", "AY EY EH K S"},
      {"indentified", "AY D EH N T AH F AY D"},
      {"ivr", "AY V IY AA R"},
      {"lowercase", "L OW ER K EY S"},
      {"mgcp", "EH M JH IY S IY P IY"},
      {"pbx", "P IY B IY EH K S"},
      {"prepend", "P R IY P EH N D"},
      {"prepending", "P R IY P EH N D IH NG"},
      {"represenatives", "R EH P R AH Z EH N T AH T IH V Z"},
      {"rerecord", "R IY R IH K AO R D"},
      {"semicolon", "S EH M IY K OW L AH N"},
      {"touchtone", "T AH CH T OW N"},
      {"umute", "AH N M Y UW T"},
      {"undelete", "AH N D IH L IY T"},
      {"undeleted", "AH N D IH L IY T IH D"},
      {"unistim", "Y UW N IH S T IH M"},
      {"unmute", "AH N M Y UW T"},
      {"unmuted", "AH N M Y UW T IH D"},
      {"uppercase", "AH P ER K EY S"},
      {"waldo's", "W AA L D OW Z"},
      {"witheld", "W IH TH HH EH L D"},
      {"www", "D AH B AH L Y UW D AH B AH L Y UW D AH B AH L Y UW"},
      {"xray", "EH K S R EY"},
  };
  return *kPronunciations;
}

std::string NormalizePrompt(absl::string_view transcript, const Dictionary& dictionary,
                            std::vector<std::string>* unknown) {
  std::vector<std::string> words = Tokens(WithoutBrackets(transcript));
  for (std::string& word : words) {
    if (word.size() == 1 && absl::ascii_isdigit(word[0])) word = std::string(kDigits[word[0] - '0']);
    if (!dictionary.contains(word)) word = std::string(absl::StripSuffix(absl::StripPrefix(word, "'"), "'"));
    const auto& extra = PromptPronunciations();
    const bool known =
        dictionary.contains(word) ||
        std::any_of(extra.begin(), extra.end(), [&](const auto& entry) { return entry.first == word; });
    if (!known) unknown->push_back(word);
  }
  return absl::StrJoin(words, " ");
}

absl::StatusOr<std::vector<HumanPrompt>> ReadHumanPrompts(const std::string& transcripts,
                                                          const std::string& sounds,
                                                          const Dictionary& dictionary) {
  std::error_code error;
  if (!std::filesystem::exists(transcripts, error))
    return NotInstalled(transcripts, "asterisk-core-sounds-en");
  if (!std::filesystem::is_directory(sounds, error))
    return NotInstalled(sounds, "asterisk-core-sounds-en-g722");
  ASSIGN_OR_RETURN(const auto bytes, ByteSource::Open(transcripts));
  std::string text;
  for (int byte = bytes->Get(); byte >= 0; byte = bytes->Get()) text.push_back(static_cast<char>(byte));
  RETURN_IF_ERROR(bytes->failure());
  std::vector<HumanPrompt> prompts;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    if (line[0] == ';') continue;
    const std::pair<std::string, std::string> entry = absl::StrSplit(line, absl::MaxSplits(':', 1));
    HumanPrompt prompt{entry.first, "", ""};
    std::vector<std::string> unknown;
    const std::string words = NormalizePrompt(entry.second, dictionary, &unknown);
    if (!std::filesystem::exists(absl::StrCat(sounds, "/", prompt.name, ".g722"), error)) {
      prompt.dropped = "no sound file";
    } else if (words.empty()) {
      prompt.dropped = "no words, but a tone or silence";
    } else if (!unknown.empty()) {
      prompt.dropped = "words not in the dictionary";
    } else {
      prompt.words = words;
    }
    prompts.push_back(std::move(prompt));
  }
  std::sort(prompts.begin(), prompts.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return prompts;
}

absl::StatusOr<std::vector<int16_t>> ReadG722(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  std::vector<int16_t> samples(bytes.size() * kSamplesPerByte);
  const std::unique_ptr<g722_decode_state_t, int (*)(g722_decode_state_t*)> decoder(
      g722_decode_init(nullptr, kBitsPerSecond, 0), g722_decode_free);
  samples.resize(g722_decode(decoder.get(), samples.data(), reinterpret_cast<const uint8_t*>(bytes.data()),
                             static_cast<int>(bytes.size())));
  return samples;
}

}  // namespace downpour
