// Where on the data's way: from recordings of a human speaker to samples and words, for a test set.
#ifndef DOWNPOUR_DEPLOY_CORPUS_HUMAN_PROMPTS_H_
#define DOWNPOUR_DEPLOY_CORPUS_HUMAN_PROMPTS_H_

#include <utility>

#include "deploy/corpus/sentences.h"

namespace downpour {

inline constexpr char kHumanSpeaker[] = "allison";

struct HumanPrompt {
  std::string name;     // "digits/1"
  std::string words;    // as they are said; empty if dropped
  std::string dropped;  // why it cannot be aligned; empty: it can
};

// Words that the prompts use and the dictionary lacks, with their phones.
const std::vector<std::pair<std::string, std::string>>& PromptPronunciations();

// The words of a transcript as they are said: in lower case, numbers up to 9 spelled out, spaces for hyphens,
// no text in brackets. Appends to `unknown` those that neither `dictionary` nor PromptPronunciations() has.
std::string NormalizePrompt(absl::string_view transcript, const Dictionary& dictionary,
                            std::vector<std::string>* unknown);

// The prompts of Debian's asterisk-core-sounds-en, sorted by name. `transcripts` is its core-sounds-en.txt.gz
// ("name: text"), `sounds` the folder of its recordings. NOT_FOUND: no such file, or no such folder of sounds
// (the message names the package). DATA_LOSS, UNAVAILABLE: the file cannot be read, as ByteSource says.
absl::StatusOr<std::vector<HumanPrompt>> ReadHumanPrompts(const std::string& transcripts,
                                                          const std::string& sounds,
                                                          const Dictionary& dictionary);

// Decodes a file of G.722 at 64 kbit/s (asterisk-core-sounds-en-g722) to 16 kHz mono samples. NOT_FOUND: no
// such file. UNAVAILABLE: it cannot be read. Any bytes can be decoded.
absl::StatusOr<std::vector<int16_t>> ReadG722(const std::string& path);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_HUMAN_PROMPTS_H_
