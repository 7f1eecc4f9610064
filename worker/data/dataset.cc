// Where on the data's way: between the data's files and minibatches; cuts windows, and normalises them.
#include "worker/data/dataset.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "common/check.h"
#include "common/file/crc32c.h"

namespace downpour {

Dataset::Dataset(std::vector<Utterance> utterances, std::vector<int32_t> labels, Normalization normalization,
                 int32_t left_context, int32_t right_context, std::vector<bool> silence_class)
    : utterances_(std::move(utterances)),
      labels_(std::move(labels)),
      normalization_(std::move(normalization)),
      feature_dim_(static_cast<int32_t>(normalization_.mean.size())),
      left_context_(left_context),
      right_context_(right_context),
      silence_class_(std::move(silence_class)) {
  int64_t next = 0;
  for (const Utterance& utterance : utterances_) {
    DOWNPOUR_CHECK(utterance.first_frame == next && utterance.frames >= 0);
    next += utterance.frames;
  }
  DOWNPOUR_CHECK(next == frames());
}

Dataset::Dataset(std::vector<Utterance> utterances, std::vector<float> features, std::vector<int32_t> labels,
                 int32_t feature_dim, int32_t left_context, int32_t right_context,
                 std::vector<bool> silence_class)
    : Dataset(std::move(utterances), std::move(labels), Normalization(), left_context, right_context,
              std::move(silence_class)) {
  feature_dim_ = feature_dim;
  DOWNPOUR_CHECK(features.size() == labels_.size() * feature_dim_);
  const std::shared_ptr<const char> all = FeaturesInMemory(std::move(features));
  for (Utterance& utterance : utterances_)
    utterance.features = {all, all.get() + utterance.first_frame * feature_dim_ * sizeof(float)};
}

bool Dataset::is_silence(int32_t label) const {
  return label >= 0 && static_cast<size_t>(label) < silence_class_.size() && silence_class_[label];
}

int32_t Dataset::most_frequent_label() const {
  if (labels_.empty()) return -1;
  std::vector<int64_t> count(int64_t{*std::max_element(labels_.begin(), labels_.end())} + 1);
  for (const int32_t label : labels_) ++count[label];
  return static_cast<int32_t>(std::max_element(count.begin(), count.end()) - count.begin());
}

double Dataset::ShareOf(int32_t label) const {
  if (labels_.empty()) return 0;
  return std::count(labels_.begin(), labels_.end(), label) / static_cast<double>(frames());
}

const Dataset::Utterance& Dataset::UtteranceOf(int64_t frame) const {
  DOWNPOUR_CHECK(frame >= 0 && frame < frames());
  const auto after = std::upper_bound(utterances_.begin(), utterances_.end(), frame,
                                      [](int64_t row, const Utterance& u) { return row < u.first_frame; });
  return *std::prev(after);
}

void Dataset::CopyWindow(const Utterance& utterance, int64_t frame, absl::Span<float> input) const {
  DOWNPOUR_CHECK(frame >= 0 && frame < utterance.frames && static_cast<int64_t>(input.size()) == input_dim());
  const size_t row_bytes = feature_dim_ * sizeof(float);
  const char* rows = utterance.features.get();
  const int64_t begin = std::max<int64_t>(frame - left_context_, 0);
  const int64_t end = std::min<int64_t>(frame + right_context_ + 1, utterance.frames);
  float* out = input.data();
  const auto copy = [&out, rows, row_bytes, this](int64_t from, int64_t count) {
    std::memcpy(out, rows + from * row_bytes, count * row_bytes);
    out += count * feature_dim_;
  };
  for (int64_t i = frame - left_context_; i < begin; ++i) copy(0, 1);
  copy(begin, end - begin);
  for (int64_t i = end; i < frame + right_context_ + 1; ++i) copy(utterance.frames - 1, 1);
  if (!normalization_.mean.empty()) Normalize(normalization_, input);
}

DataSummary Summarize(const Dataset& train, const Normalization& normalization, int32_t classes,
                      uint32_t features_crc) {
  uint32_t crc = features_crc;
  const auto add = [&crc](const void* bytes, size_t size) {
    crc = Crc32c(absl::string_view(static_cast<const char*>(bytes), size), crc);
  };
  for (const Dataset::Utterance& utterance : train.utterances()) {
    add(utterance.key.data(), utterance.key.size());
    add(&utterance.frames, sizeof(utterance.frames));
  }
  add(train.labels().data(), train.labels().size() * sizeof(int32_t));

  DataSummary summary;
  summary.set_input_dim(train.input_dim());
  summary.set_classes(classes);
  summary.set_utterances(static_cast<int64_t>(train.utterances().size()));
  summary.set_frames(train.frames());
  summary.set_fingerprint(crc);
  summary.mutable_feature_mean()->Add(normalization.mean.begin(), normalization.mean.end());
  summary.mutable_feature_stddev()->Add(normalization.stddev.begin(), normalization.stddev.end());
  return summary;
}

}  // namespace downpour
