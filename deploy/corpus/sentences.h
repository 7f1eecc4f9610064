// Where on the data's way: the corpus maker's input: the sentences that are spoken, from files of fortunes.
#ifndef DOWNPOUR_DEPLOY_CORPUS_SENTENCES_H_
#define DOWNPOUR_DEPLOY_CORPUS_SENTENCES_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace downpour {

using Dictionary = absl::flat_hash_set<std::string>;

// Reads the words of a CMU pronouncing dictionary, whose lines are "word PHONE PHONE ...". NOT_FOUND: no such
// file (the message names the package).
absl::StatusOr<Dictionary> ReadDictionary(const std::string& path);

// The sentences of a fortune file, whose entries are separated by lines of "%". Each has 6 to 24 lower-case
// words, separated by a space, all of them in `dictionary`. What stands after " -- " (who said it) is left
// out, and so are sentences with digits or signs, which could be read aloud in more than one way. They are in
// the order of `text`, and may repeat.
std::vector<std::string> SentencesOf(absl::string_view text, const Dictionary& dictionary);

// The sentences of all fortune files in `folder`, each once, by file name and then in the file's order.
// NOT_FOUND: no folder or no sentence (the message names the package). UNAVAILABLE: a file cannot be read.
absl::StatusOr<std::vector<std::string>> ReadSentences(const std::string& folder,
                                                       const Dictionary& dictionary);

// Whether a sentence belongs to the test part: its CRC-32C modulo 100 is below 8. This depends on the
// sentence alone, so that for no seed and no length of the corpus a sentence is in both parts.
bool IsTestSentence(absl::string_view sentence);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_SENTENCES_H_
