// Where on the data's way: before the readers of data; small Kaldi data directories that tests write
// and read.
#ifndef DOWNPOUR_TESTS_UNIT_WORKER_DATA_KALDI_FILES_H_
#define DOWNPOUR_TESTS_UNIT_WORKER_DATA_KALDI_FILES_H_

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "deploy/corpus/kaldi_writer.h"
#include "worker/data/utterance.h"

namespace downpour {

struct TestUtterance {
  std::string key;
  std::vector<float> features;  // [frames, cols]
  std::vector<int32_t> labels;  // none: not aligned
  int64_t cols = 2;
};

inline void WriteText(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// A fresh folder of the test's own with feats.ark, feats.scp and pdf.ark.
inline std::string WriteKaldiDirectory(const std::string& name,
                                       const std::vector<TestUtterance>& utterances) {
  const std::string folder = ::testing::TempDir() + "kaldi_" +
                             ::testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() +
                             "_" + ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                             name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  auto features = ArchiveWriter::Create(folder + "/feats.ark", folder + "/feats.scp");
  auto labels = ArchiveWriter::Create(folder + "/pdf.ark", folder + "/pdf.scp");
  EXPECT_TRUE(features.ok() && labels.ok());
  for (const TestUtterance& utterance : utterances) {
    EXPECT_TRUE((*features)->WriteMatrix(utterance.key, utterance.cols, utterance.features).ok());
    if (utterance.labels.empty()) continue;
    EXPECT_TRUE((*labels)->WriteIntVector(utterance.key, utterance.labels).ok());
  }
  EXPECT_TRUE((*features)->Close().ok() && (*labels)->Close().ok());
  return folder;
}

inline std::vector<float> FeaturesOf(const Utterance& utterance, int32_t feature_dim) {
  std::vector<float> values(utterance.frames * feature_dim);
  std::memcpy(values.data(), utterance.features.get(), values.size() * sizeof(float));
  return values;
}

// Whether an address lies in a mapping of `path`, as the operating system sees it.
inline bool IsMapped(const char* address, const std::string& path) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    size_t begin = 0;
    size_t end = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx", &begin, &end) != 2 || !line.ends_with(path)) continue;
    const auto at = reinterpret_cast<size_t>(address);
    if (begin <= at && at < end) return true;
  }
  return false;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_UNIT_WORKER_DATA_KALDI_FILES_H_
