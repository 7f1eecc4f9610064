// Where on the data's way: between the data's files and the run; checks that a run's parts fit together.
#include "worker/data/run_data.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/file/crc32c.h"
#include "common/program/run_description_rules.h"
#include "common/status_macros.h"
#include "worker/data/idx.h"
#include "worker/data/kaldi_directory.h"

namespace downpour {
namespace {

absl::Status CheckLabels(const KaldiDirectory& part, const std::string& directory, int32_t classes) {
  for (const Dataset::Utterance& utterance : part.utterances) {
    for (int64_t i = 0; i < utterance.frames; ++i) {
      const int32_t label = part.labels[utterance.first_frame + i];
      if (label < classes) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          directory, ": utterance ", utterance.key, ": label ", label, " of frame ", i, ", want below ",
          classes,
          ", the number of classes; data.classes, or num_pdfs in the training directory, sets another"));
    }
  }
  return absl::OkStatus();
}

// Says of each class whether it is silence; empty if the directory does not know.
absl::StatusOr<std::vector<bool>> SilenceClasses(const std::vector<int32_t>& silence_pdfs,
                                                 const std::string& directory, int32_t classes) {
  std::vector<bool> silence_class(silence_pdfs.empty() ? 0 : classes);
  for (const int32_t pdf : silence_pdfs) {
    if (pdf >= classes) {
      return absl::InvalidArgumentError(absl::StrCat(directory, "/silence_pdfs: ", pdf, ", want below ",
                                                     classes, ", the number of classes"));
    }
    silence_class[pdf] = true;
  }
  return silence_class;
}

uint32_t FeaturesCrc(const KaldiDirectory& part) {
  uint32_t crc = 0;
  for (const Utterance& utterance : part.utterances) {
    const size_t bytes = utterance.frames * part.feature_dim * sizeof(float);
    crc = Crc32c(absl::string_view(utterance.features.get(), bytes), crc);
  }
  return crc;
}

Normalization NormalizationIn(const DataSummary& summary) {
  return {{summary.feature_mean().begin(), summary.feature_mean().end()},
          {summary.feature_stddev().begin(), summary.feature_stddev().end()}};
}

class KaldiRunReader {
 public:
  KaldiRunReader(const DataDescription& description, const FeatureOptions& features)
      : description_(description), features_(features) {}

  // If `normalization` is null, it is computed.
  absl::Status ReadTrain(const Normalization* normalization) {
    ASSIGN_OR_RETURN(KaldiDirectory train,
                     ReadKaldiDirectory(description_.train_dir(), description_.alignments(), features_));
    classes_ = description_.classes() > 0 ? description_.classes()
               : train.num_pdfs > 0       ? train.num_pdfs
                                          : 1 + *std::max_element(train.labels.begin(), train.labels.end());
    if (normalization != nullptr) {
      data_.normalization = *normalization;
    } else {
      const FeatureStatistics statistics = ComputeStatistics(train.utterances, train.feature_dim);
      data_.normalization = NormalizationOf(statistics);
      for (std::string& note : ConstantDimensions(statistics, description_.train_dir()))
        data_.notes.push_back(std::move(note));
    }
    ASSIGN_OR_RETURN(silence_class_, SilenceClasses(train.silence_pdfs, description_.train_dir(), classes_));
    const uint32_t features_crc = FeaturesCrc(train);
    ASSIGN_OR_RETURN(data_.train, MakePart(description_.train_dir(), std::move(train)));
    data_.summary = Summarize(*data_.train, data_.normalization, classes_, features_crc);
    return absl::OkStatus();
  }

  // Instead of ReadTrain(): takes from `known` what the test sets need to know of the training part.
  absl::Status TakeTrain(const DataSummary& known) {
    data_.summary = known;
    data_.normalization = NormalizationIn(known);
    classes_ = known.classes();
    ASSIGN_OR_RETURN(const std::vector<int32_t> silence_pdfs, ReadSilencePdfs(description_.train_dir()));
    ASSIGN_OR_RETURN(silence_class_, SilenceClasses(silence_pdfs, description_.train_dir(), classes_));
    return absl::OkStatus();
  }

  absl::Status ReadTests() {
    ASSIGN_OR_RETURN(data_.test, ReadTest(description_.test_dir()));
    if (description_.test_human_dir().empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(data_.test_human, ReadTest(description_.test_human_dir()));
    return absl::OkStatus();
  }

  RunData Take() { return std::move(data_); }

 private:
  absl::StatusOr<std::shared_ptr<const Dataset>> ReadTest(const std::string& directory) {
    ASSIGN_OR_RETURN(KaldiDirectory part,
                     ReadKaldiDirectory(directory, description_.alignments(), features_));
    const FeatureStatistics statistics = ComputeStatistics(part.utterances, part.feature_dim);
    ASSIGN_OR_RETURN(std::shared_ptr<const Dataset> made, MakePart(directory, std::move(part)));
    for (std::string& note : UnlikeTraining(statistics, data_.normalization, directory))
      data_.notes.push_back(std::move(note));
    return made;
  }

  absl::StatusOr<std::shared_ptr<const Dataset>> MakePart(const std::string& directory, KaldiDirectory part) {
    RETURN_IF_ERROR(CheckLabels(part, directory, classes_));
    const size_t dim = part.feature_dim;
    const int64_t window = int64_t{description_.left_context()} + 1 + description_.right_context();
    if (window * part.feature_dim > std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(absl::StrCat(
          directory, ": a window of ", window,
          " frames (data.left_context, data.right_context) of dimension ", dim, ", want below 2^31 values"));
    }
    if (data_.normalization.mean.size() != dim || data_.normalization.stddev.size() != dim) {
      return absl::InvalidArgumentError(absl::StrCat(directory, ": feature dimension ", dim, ", want ",
                                                     data_.normalization.mean.size(),
                                                     ", that of the normalisation"));
    }
    ASSIGN_OR_RETURN(std::vector<bool> silence_class, SilenceClasses(part.silence_pdfs, directory, classes_));
    for (std::string& note : part.notes) data_.notes.push_back(std::move(note));
    return std::make_shared<const Dataset>(
        std::move(part.utterances), std::move(part.labels), data_.normalization, description_.left_context(),
        description_.right_context(), silence_class.empty() ? silence_class_ : std::move(silence_class));
  }

  const DataDescription& description_;
  const FeatureOptions& features_;
  int32_t classes_ = 0;
  std::vector<bool> silence_class_;  // as the training directory says
  RunData data_;
};

}  // namespace

absl::StatusOr<RunData> LoadRunData(const DataDescription& description, const Normalization* normalization,
                                    const FeatureOptions& features) {
  RETURN_IF_ERROR(CheckKindOfData(description));
  if (description.has_mnist_dir()) return LoadMnistRunData(description, normalization);
  KaldiRunReader reader(description, features);
  RETURN_IF_ERROR(reader.ReadTrain(normalization));
  RETURN_IF_ERROR(reader.ReadTests());
  RunData data = reader.Take();
  data.summary.set_majority_test_accuracy(data.test->ShareOf(data.train->most_frequent_label()));
  return data;
}

absl::StatusOr<RunData> LoadTrainingPart(const DataDescription& description, const DataSummary& known,
                                         const FeatureOptions& features) {
  RETURN_IF_ERROR(CheckKindOfData(description));
  const Normalization normalization = NormalizationIn(known);
  RunData data;
  if (description.has_mnist_dir()) {
    ASSIGN_OR_RETURN(data, LoadMnistRunData(description, &normalization));
    data.test.reset();
  } else {
    KaldiRunReader reader(description, features);
    RETURN_IF_ERROR(reader.ReadTrain(&normalization));
    data = reader.Take();
  }
  data.summary.set_majority_test_accuracy(known.majority_test_accuracy());
  return data;
}

absl::StatusOr<RunData> LoadTestSets(const DataDescription& description, const DataSummary& known,
                                     const FeatureOptions& features) {
  RETURN_IF_ERROR(CheckKindOfData(description));
  if (description.has_mnist_dir()) {
    const Normalization normalization = NormalizationIn(known);
    ASSIGN_OR_RETURN(RunData data, LoadMnistRunData(description, &normalization));
    data.train.reset();
    return data;
  }
  KaldiRunReader reader(description, features);
  RETURN_IF_ERROR(reader.TakeTrain(known));
  RETURN_IF_ERROR(reader.ReadTests());
  return reader.Take();
}

}  // namespace downpour
