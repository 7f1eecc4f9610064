// Where on the data's way: for tests of the programs, before worker/data/: writes a small Kaldi data
// directory whose labels can be learned from its frames.
#ifndef DOWNPOUR_TESTS_TESTING_TOY_CORPUS_H_
#define DOWNPOUR_TESTS_TESTING_TOY_CORPUS_H_

#include <cstdint>
#include <string>

namespace downpour {

inline constexpr int kToyClasses = 5;

// Writes `directory`: utterances of 40 frames of 8 dimensions, in which each class has one run of frames. A
// frame is its class's centroid, the same for every seed, plus noise. Classes are equally frequent: guessing
// has an accuracy of 1 / kToyClasses.
void WriteToyCorpus(const std::string& directory, int utterances, uint64_t seed);

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_TOY_CORPUS_H_
