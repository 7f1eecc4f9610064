// Where on the data's way: before training: from sentences to the data directories that training reads.
#ifndef DOWNPOUR_DEPLOY_CORPUS_CORPUS_BUILDER_H_
#define DOWNPOUR_DEPLOY_CORPUS_CORPUS_BUILDER_H_

#include "common/clock.h"
#include "deploy/corpus/forced_aligner.h"

namespace downpour {

struct CorpusOptions {
  std::string out;   // the corpus's folder
  double hours = 2;  // of synthetic speech, train and test together; the quickstart's default
  int jobs = 0;      // processes; 0: one a core
  uint64_t seed = 1;
  bool human = true;          // make the test set of human speech too
  int shard_utterances = 50;  // about 3 minutes of speech, which each job may lose when interrupted
  // Where Debian's packages put their files.
  std::string fortunes = "/usr/share/games/fortunes";
  std::string transcripts = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz";
  std::string sounds = "/usr/share/asterisk/sounds/en_US_f_Allison";
  ForcedAlignerOptions aligner;
};

struct CorpusSummary {
  bool already_complete = false;
  std::vector<std::string> parts;  // one line each
};

// Makes OUT/train, OUT/test and OUT/test_human (see corpus_directory.h). The utterances come from an endless
// list drawn from `seed` (every sentence in a shuffled order, then all of them again in other voices), up to
// the one that completes `hours`; about 8 % of the sentences are in the test part (IsTestSentence). The same
// seed gives the same bytes for any number of jobs and interruptions, and when `hours` grows in steps.
// Finished shards are kept in OUT/.cache. INVALID_ARGUMENT: hours or jobs out of range, or so few hours that
// the train or test part would be empty. FAILED_PRECONDITION: OUT holds a corpus of other settings, or
// another process is making one there. NOT_FOUND: a package is missing. UNIMPLEMENTED: another version of
// pocketsphinx. CANCELLED: interrupted; the same call goes on. RESOURCE_EXHAUSTED, UNAVAILABLE: OUT cannot be
// written. Call with one thread only, because it forks.
absl::StatusOr<CorpusSummary> BuildCorpus(const CorpusOptions& options, Clock* clock);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_CORPUS_BUILDER_H_
