// Where on the data's way: for tests, in place of data from disk: a small separable data set and a run
// description that fits it.
#ifndef DOWNPOUR_TESTS_TESTING_SYNTHETIC_DATA_H_
#define DOWNPOUR_TESTS_TESTING_SYNTHETIC_DATA_H_

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "worker/data/run_data.h"

namespace downpour {

struct SyntheticVariation {
  double noise = 0.15;
  int32_t context = 0;                   // frames on each side
  std::vector<bool> silence_class = {};  // per class; empty: not known
};

// Makes two-dimensional frames of `classes` classes; each class is a point on a circle, to which noise
// is added.
inline std::shared_ptr<const Dataset> SyntheticDataset(int utterances, int frames_each, int classes,
                                                       uint64_t seed,
                                                       const SyntheticVariation& variation = {}) {
  Random random(seed);
  std::vector<Dataset::Utterance> rows;
  std::vector<float> features;
  std::vector<int32_t> labels;
  for (int u = 0; u < utterances; ++u) {
    rows.push_back({"utterance" + std::to_string(u), u * int64_t{frames_each}, frames_each});
    for (int frame = 0; frame < frames_each; ++frame) {
      const auto label = static_cast<int32_t>(random.Below(classes));
      const double angle = 2 * std::acos(-1.0) * label / classes;
      features.push_back(static_cast<float>(std::cos(angle) + variation.noise * random.Normal()));
      features.push_back(static_cast<float>(std::sin(angle) + variation.noise * random.Normal()));
      labels.push_back(label);
    }
  }
  return std::make_shared<Dataset>(std::move(rows), std::move(features), std::move(labels), /*feature_dim=*/2,
                                   variation.context, variation.context, variation.silence_class);
}

inline constexpr int kSyntheticClasses = 5;

// 2,000 frames to train on and 500 to test on, of 5 classes: guessing has an accuracy of 0.2.
inline std::shared_ptr<const RunData> SyntheticRunData() {
  auto data = std::make_shared<RunData>();
  data->train = SyntheticDataset(40, 50, kSyntheticClasses, 1);
  data->test = SyntheticDataset(10, 50, kSyntheticClasses, 2);
  data->normalization = {{0, 0}, {1, 1}};
  data->summary = Summarize(*data->train, data->normalization, kSyntheticClasses);
  return data;
}

// The same with 300 frames of "human speech", which are harder, and with class 0 as silence.
inline std::shared_ptr<const RunData> SyntheticRunDataWithHumans() {
  auto data = std::make_shared<RunData>(*SyntheticRunData());
  const std::vector<bool> silence = {true, false, false, false, false};
  data->test = SyntheticDataset(10, 50, kSyntheticClasses, 2, {.silence_class = silence});
  data->test_human = SyntheticDataset(6, 50, kSyntheticClasses, 3, {.noise = 0.4, .silence_class = silence});
  return data;
}

// A run of 100 updates in which 4 replicas and two shards learn SyntheticRunData().
inline RunDescription SyntheticRun() {
  RunDescription description;
  description.mutable_data()->set_train_dir("synthetic");
  description.mutable_data()->set_slice_frames(200);
  description.mutable_network()->add_hidden_width(16);
  description.mutable_network()->set_precision(NetworkDescription::FLOAT32);
  description.mutable_cluster()->set_replicas(4);
  description.mutable_cluster()->set_minibatch(20);
  description.mutable_budget()->set_updates(100);
  description.mutable_evaluation()->set_every_updates(25);
  return description;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SYNTHETIC_DATA_H_
