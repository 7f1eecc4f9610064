// Where on the data's way: frames and labels in memory, whatever files they came from; windows are cut from them.
#ifndef DOWNPOUR_WORKER_DATA_DATASET_H_
#define DOWNPOUR_WORKER_DATA_DATASET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/config.pb.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// Per feature dimension, over the training part's frames.
struct Normalization {
  std::vector<float> mean;
  std::vector<float> stddev;   // at least 1e-5 each
};

// Utterances of feature frames with one label a frame, features already normalised. An image is an utterance of one
// frame with a window of one. Immutable after loading, so thread-safe; shared by all replicas of a process.
class Dataset {
 public:
  struct Utterance {
    std::string key;
    int64_t first_frame = 0;   // row in features()
    int64_t frames = 0;
  };

  Dataset(std::vector<Utterance> utterances, std::vector<float> features, std::vector<int32_t> labels,
          int32_t feature_dim, int32_t left_context, int32_t right_context, std::vector<bool> silence_class);

  const std::vector<Utterance>& utterances() const { return utterances_; }
  int64_t frames() const { return static_cast<int64_t>(labels_.size()); }
  int32_t feature_dim() const { return feature_dim_; }
  int32_t input_dim() const { return (left_context_ + 1 + right_context_) * feature_dim_; }
  int32_t label(int64_t frame) const { return labels_[frame]; }   // frame: row over the whole data set
  // Whether the data directory says which classes are silence, and whether this one is.
  bool knows_silence() const { return !silence_class_.empty(); }
  bool is_silence(int32_t label) const;
  int32_t max_label() const;
  float most_frequent_label_share() const;

  // The network input of frame `frame` (of 0 <= frame < frames of that utterance): frames [frame - left_context,
  // frame + right_context], edge frames repeated, oldest first. `input` has input_dim() floats.
  void CopyWindow(const Utterance& utterance, int64_t frame, absl::Span<float> input) const;

 private:
  std::vector<Utterance> utterances_;
  std::vector<float> features_;    // [frames, feature_dim], row-major
  std::vector<int32_t> labels_;    // [frames]
  int32_t feature_dim_;
  int32_t left_context_;
  int32_t right_context_;
  std::vector<bool> silence_class_;
};

// What a run reads: a training part and its test sets.
struct RunData {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;
  std::shared_ptr<const Dataset> test_human;   // null: none
  Normalization normalization;
  DataSummary summary;                         // of the training part; classes resolved
  std::vector<std::string> notes;              // e.g. utterances without alignment that were left out, and how many
};

// Reads what `description` names. `normalization`: null: computed on the training part; otherwise used as given (a
// resumed run's, or the coordinator's). INVALID_ARGUMENT, NOT_FOUND, DATA_LOSS: as worker/data/kaldi_directory.h and
// worker/data/idx.h; the messages name the file and the place in it.
absl::StatusOr<RunData> LoadRunData(const DataDescription& description, const Normalization* normalization);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_DATASET_H_
