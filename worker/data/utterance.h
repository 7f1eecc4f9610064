// Where on the data's way: between the data's files and data sets; where one utterance's frames lie.
#ifndef DOWNPOUR_WORKER_DATA_UTTERANCE_H_
#define DOWNPOUR_WORKER_DATA_UTTERANCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace downpour {

struct Utterance {
  std::string key;
  int64_t first_frame = 0;  // row in the whole data set
  int64_t frames = 0;
  // [frames, feature_dim] f32, row-major, at any address: in memory, or in an archive that this keeps mapped.
  std::shared_ptr<const char> features = nullptr;
};

// Makes `values` an utterance's features.
inline std::shared_ptr<const char> FeaturesInMemory(std::vector<float> values) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  return {owner, reinterpret_cast<const char*>(owner->data())};
}

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_UTTERANCE_H_
