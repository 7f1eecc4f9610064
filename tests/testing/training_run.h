// Where on the data's way: for tests, a whole run in one process: runs a training job in a run folder of its
// own, and reads its curve.
#ifndef DOWNPOUR_TESTS_TESTING_TRAINING_RUN_H_
#define DOWNPOUR_TESTS_TESTING_TRAINING_RUN_H_

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "deploy/in_process/training_job.h"
#include "gtest/gtest.h"
#include "tests/testing/synthetic_data.h"

namespace downpour {

// An empty folder, named after the running test.
inline std::string FreshRunDir() {
  const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "." + test->name();
  for (char& c : name) c = c == '/' ? '_' : c;
  const std::string path = ::testing::TempDir() + "/" + name;
  std::filesystem::remove_all(path);
  return path;
}

inline TrainingJob SyntheticJob(const RunDescription& description, const std::string& run_dir) {
  TrainingJob job;
  job.description = description;
  job.data = SyntheticRunData();
  job.run_dir = run_dir;
  job.threads = 2;
  return job;
}

inline absl::StatusOr<RunStatus> PrepareAndRun(const TrainingJob& job) {
  const absl::Status prepared = PrepareRunFolder(job.run_dir, job.description, /*restart=*/false);
  if (!prepared.ok()) return prepared;
  return RunJob(job);
}

// frame_accuracy.csv: for each line a map from column to value.
using Curve = std::vector<std::map<std::string, std::string>>;

inline Curve ReadCurve(const std::string& run_dir) {
  std::ifstream file(run_dir + "/frame_accuracy.csv");
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> columns = absl::StrSplit(line, ',');
  Curve curve;
  while (std::getline(file, line)) {
    const std::vector<std::string> values = absl::StrSplit(line, ',');
    EXPECT_EQ(values.size(), columns.size()) << line;
    auto& entry = curve.emplace_back();
    for (size_t i = 0; i < columns.size() && i < values.size(); ++i) entry[columns[i]] = values[i];
  }
  return curve;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_TRAINING_RUN_H_
