// Where on the data's way: writes each frame as its class's centroid plus noise.
#include "tests/testing/toy_corpus.h"

#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/random.h"
#include "deploy/corpus/kaldi_writer.h"

namespace downpour {

void WriteToyCorpus(const std::string& directory, int utterances, uint64_t seed) {
  constexpr int kFrames = 40, kDim = 8, kRun = 8;
  std::filesystem::create_directories(directory);
  auto features = ArchiveWriter::Create(directory + "/feats.ark", directory + "/feats.scp", "feats.ark");
  auto alignments = ArchiveWriter::Create(directory + "/pdf.1.ark", "");
  DOWNPOUR_CHECK(features.ok() && alignments.ok());
  std::ofstream speakers(directory + "/utt2spk");
  Random random(seed);
  for (int utterance = 0; utterance < utterances; ++utterance) {
    std::vector<uint32_t> classes = {0, 1, 2, 3, 4};
    random.Shuffle(absl::MakeSpan(classes));
    std::vector<float> frames;
    std::vector<int32_t> labels;
    for (int frame = 0; frame < kFrames; ++frame) {
      labels.push_back(static_cast<int32_t>(classes[frame / kRun]));
      for (int d = 0; d < kDim; ++d) {
        const double centroid = static_cast<double>(RandomAt(7, labels.back() * kDim + d) % 5) - 2;
        frames.push_back(static_cast<float>(centroid + random.Normal()));
      }
    }
    const std::string key = absl::StrCat("utterance", utterance);
    DOWNPOUR_CHECK((*features)->WriteMatrix(key, kDim, frames).ok());
    DOWNPOUR_CHECK((*alignments)->WriteIntVector(key, labels).ok());
    speakers << key << " speaker\n";
  }
  DOWNPOUR_CHECK((*features)->Close().ok() && (*alignments)->Close().ok());
}

}  // namespace downpour
