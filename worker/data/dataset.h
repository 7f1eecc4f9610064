// Where on the data's way: between the data's files and minibatches; frames and labels, in memory or mapped.
#ifndef DOWNPOUR_WORKER_DATA_DATASET_H_
#define DOWNPOUR_WORKER_DATA_DATASET_H_

#include "absl/types/span.h"
#include "proto/coordinator.pb.h"
#include "worker/data/normalization.h"
#include "worker/data/utterance.h"

namespace downpour {

// Utterances with one label a frame. Labels are in memory, and so are features that had to be unpacked; plain
// ones stay in their files, mapped. Immutable after loading, so thread-safe; a process's replicas share it.
class Dataset {
 public:
  using Utterance = downpour::Utterance;

  // The utterances follow one another and cover all of `labels`. `normalization` has the features' dimension;
  // CopyWindow() applies it. `silence_class` says of each class whether it is silence; empty: not known.
  Dataset(std::vector<Utterance> utterances, std::vector<int32_t> labels, Normalization normalization,
          int32_t left_context, int32_t right_context, std::vector<bool> silence_class);
  // For `features` in memory, [labels.size(), feature_dim], row-major, which CopyWindow() does not normalise.
  Dataset(std::vector<Utterance> utterances, std::vector<float> features, std::vector<int32_t> labels,
          int32_t feature_dim, int32_t left_context, int32_t right_context, std::vector<bool> silence_class);

  const std::vector<Utterance>& utterances() const { return utterances_; }
  int64_t frames() const { return static_cast<int64_t>(labels_.size()); }
  // Below 2^31; the caller of the constructor checks that.
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

  // The network input of the utterance's frame `frame`, normalised: its frames [frame - left_context, frame +
  // right_context], oldest first, edge frames repeated. `input` has input_dim() floats.
  void CopyWindow(const Utterance& utterance, int64_t frame, absl::Span<float> input) const;

 private:
  std::vector<Utterance> utterances_;
  std::vector<int32_t> labels_;  // [frames]
  Normalization normalization_;  // empty: none
  int32_t feature_dim_;
  int32_t left_context_;
  int32_t right_context_;
  std::vector<bool> silence_class_;
};

// The fingerprint is a CRC-32C that continues `features_crc`, that of the features as read (normalised values
// may differ in the last bit between builds), over each utterance's key and i64 frames, then all i32 labels.
DataSummary Summarize(const Dataset& train, const Normalization& normalization, int32_t classes,
                      uint32_t features_crc = 0);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_DATASET_H_
