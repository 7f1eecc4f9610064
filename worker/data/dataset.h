// Where on the data's way: frames and labels, whatever files they came from; windows are cut from them and
// normalised.
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
#include "worker/data/normalization.h"
#include "worker/data/utterance.h"

namespace downpour {

// Utterances of feature frames with one label a frame. The labels are in memory; so are features that had to
// be unpacked, while plain ones stay in their files, mapped. An image is an utterance of one frame with a
// window of one. Immutable after loading, so thread-safe; shared by all replicas of a process.
class Dataset {
 public:
  using Utterance = downpour::Utterance;

  // The utterances follow one another and cover all of `labels`. `normalization`: of `feature_dim`
  // dimensions; what CopyWindow() gives has gone through it. `silence_class`: per class; empty: not known.
  Dataset(std::vector<Utterance> utterances, std::vector<int32_t> labels, Normalization normalization,
          int32_t left_context, int32_t right_context, std::vector<bool> silence_class);
  // The same of `features` in memory, [labels.size(), feature_dim], row-major, which are taken as they are.
  Dataset(std::vector<Utterance> utterances, std::vector<float> features, std::vector<int32_t> labels,
          int32_t feature_dim, int32_t left_context, int32_t right_context, std::vector<bool> silence_class);

  const std::vector<Utterance>& utterances() const { return utterances_; }
  int64_t frames() const { return static_cast<int64_t>(labels_.size()); }
  int32_t feature_dim() const { return feature_dim_; }
  // Below 2^31, which is for the caller of the constructor to see to.
  int32_t input_dim() const {
    return static_cast<int32_t>((int64_t{left_context_} + 1 + right_context_) * feature_dim_);
  }
  int32_t label(int64_t frame) const { return labels_[frame]; }  // frame: row over the whole data set
  absl::Span<const int32_t> labels() const { return labels_; }
  // Whether the data directory says which classes are silence, and whether this one is.
  bool knows_silence() const { return !silence_class_.empty(); }
  bool is_silence(int32_t label) const;
  int32_t most_frequent_label() const;  // the lowest of several; -1: no frames
  double ShareOf(int32_t label) const;  // of all frames: what always guessing `label` scores
  double most_frequent_label_share() const { return ShareOf(most_frequent_label()); }

  // The utterance that row `frame` of the whole data set belongs to.
  const Utterance& UtteranceOf(int64_t frame) const;

  // The network input of frame `frame` (of 0 <= frame < frames of that utterance): frames [frame -
  // left_context, frame + right_context], edge frames repeated, oldest first, normalised. `input` has
  // input_dim() floats.
  void CopyWindow(const Utterance& utterance, int64_t frame, absl::Span<float> input) const;

 private:
  void CheckCover() const;

  std::vector<Utterance> utterances_;
  std::vector<int32_t> labels_;  // [frames]
  Normalization normalization_;  // empty: none
  int32_t feature_dim_;
  int32_t left_context_;
  int32_t right_context_;
  std::vector<bool> silence_class_;
};

// What a run reads: a training part and its test sets; a worker or evaluator has its own of them only.
struct RunData {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;
  std::shared_ptr<const Dataset> test_human;  // null: none
  Normalization normalization;
  DataSummary summary;             // Summarize() of the training part, and majority_test_accuracy
  std::vector<std::string> notes;  // e.g. utterances without alignment that were left out, and how many
};

// The fingerprint is a CRC-32C that goes on from `features_crc`, that of the features as they were read
// (their normalised values differ in the last bit between builds), over each utterance's key and i64 frame
// count, then all labels as i32.
DataSummary Summarize(const Dataset& train, const Normalization& normalization, int32_t classes,
                      uint32_t features_crc = 0);

// Reads what `description` names. `normalization`: null: computed on the training part; otherwise used as
// given (a resumed run's, or the coordinator's). For Kaldi data directories, classes is data.classes if that
// is set, else the number in the training directory's file num_pdfs if it has one, else one more than the
// training part's largest label. A test directory that has no file silence_pdfs of its own takes the training
// directory's. INVALID_ARGUMENT: both kinds of data or neither; a label not below classes, a feature
// dimension that differs between parts or from `normalization`, a window of 2^31 values or more. Also
// INVALID_ARGUMENT, NOT_FOUND, DATA_LOSS, UNIMPLEMENTED: as worker/data/kaldi_directory.h and
// worker/data/idx.h; the messages name the file and the place in it.
absl::StatusOr<RunData> LoadRunData(const DataDescription& description, const Normalization* normalization);

// What a worker and an evaluator need of that in a run whose data is `known`; the rest is null and, unless it
// is MNIST, not read. Statuses as LoadRunData. LoadTrainingPart: train, with the summary of what was read,
// but for majority_test_accuracy, which is as known. LoadTestSets: test and test_human, checked against
// `known`, which is also the summary; of the training directory only silence_pdfs is read.
absl::StatusOr<RunData> LoadTrainingPart(const DataDescription& description, const DataSummary& known);
absl::StatusOr<RunData> LoadTestSets(const DataDescription& description, const DataSummary& known);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_DATASET_H_
