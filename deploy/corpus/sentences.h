// Where on the data's way: its beginning; the sentences that are spoken.
#ifndef DOWNPOUR_DEPLOY_CORPUS_SENTENCES_H_
#define DOWNPOUR_DEPLOY_CORPUS_SENTENCES_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace downpour {

using Dictionary = absl::flat_hash_set<std::string>;

// The words of a CMU pronouncing dictionary, one "word PHONE PHONE ..." a line. NOT_FOUND: no such file (the
// message names the package).
absl::StatusOr<Dictionary> ReadDictionary(const std::string& path);

// The sentences of a fortune file, whose entries are separated by lines of "%": lower-case words separated by
// a space, every one in `dictionary`, 6 to 24 of them. What stands after " -- " (who said it) is left out,
// and so is any sentence with digits or signs, which could be read aloud in more than one way. In the order
// of `text`, repeats and all.
std::vector<std::string> SentencesOf(absl::string_view text, const Dictionary& dictionary);

// The sentences of all fortune files in `folder`, each once, by file name and then as they stand in the file.
// NOT_FOUND: no such folder, or no sentence in it (the message names the package). UNAVAILABLE: a file of it
// cannot be read.
absl::StatusOr<std::vector<std::string>> ReadSentences(const std::string& folder,
                                                       const Dictionary& dictionary);

// Whether a sentence belongs to the test part: CRC-32C of it modulo 100 below 8. By the sentence alone, so
// that no seed and no length of corpus puts one sentence into both parts.
bool IsTestSentence(absl::string_view sentence);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_SENTENCES_H_
