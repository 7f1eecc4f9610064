// Where on the data's way: a run's training part and its test sets, from whatever files.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/crc32c.h"
#include "common/status_macros.h"
#include "worker/data/dataset.h"
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
          directory, ": utterance ", utterance.key, ": label ", label, " of frame ", i, ": wanted below ",
          classes,
          ", the number of classes; data.classes, or num_pdfs in the training directory, sets another"));
    }
  }
  return absl::OkStatus();
}

// Empty where the directory does not say.
absl::StatusOr<std::vector<bool>> SilenceClasses(const KaldiDirectory& part, const std::string& directory,
                                                 int32_t classes) {
  std::vector<bool> silence_class(part.silence_pdfs.empty() ? 0 : classes);
  for (const int32_t pdf : part.silence_pdfs) {
    if (pdf >= classes) {
      return absl::InvalidArgumentError(absl::StrCat(directory, "/silence_pdfs: ", pdf, ": wanted below ",
                                                     classes, ", the number of classes"));
    }
    silence_class[pdf] = true;
  }
  return silence_class;
}

class KaldiRunReader {
 public:
  explicit KaldiRunReader(const DataDescription& description) : description_(description) {}

  absl::StatusOr<RunData> Read(const Normalization* normalization) {
    ASSIGN_OR_RETURN(KaldiDirectory train,
                     ReadKaldiDirectory(description_.train_dir(), description_.alignments()));
    classes_ = description_.classes() > 0 ? description_.classes()
               : train.num_pdfs > 0       ? train.num_pdfs
                                          : 1 + *std::max_element(train.labels.begin(), train.labels.end());
    data_.normalization =
        normalization != nullptr ? *normalization : ComputeNormalization(train.features, train.feature_dim);
    ASSIGN_OR_RETURN(silence_class_, SilenceClasses(train, description_.train_dir(), classes_));
    const uint32_t features_crc =
        Crc32c({reinterpret_cast<const char*>(train.features.data()), train.features.size() * sizeof(float)});
    ASSIGN_OR_RETURN(data_.train, MakePart(description_.train_dir(), std::move(train)));
    data_.summary = Summarize(*data_.train, data_.normalization, classes_, features_crc);
    ASSIGN_OR_RETURN(data_.test, ReadTest(description_.test_dir()));
    if (description_.has_test_human_dir()) {
      ASSIGN_OR_RETURN(data_.test_human, ReadTest(description_.test_human_dir()));
    }
    data_.summary.set_majority_test_accuracy(data_.test->ShareOf(data_.train->most_frequent_label()));
    return std::move(data_);
  }

 private:
  absl::StatusOr<std::shared_ptr<const Dataset>> ReadTest(const std::string& directory) {
    ASSIGN_OR_RETURN(KaldiDirectory part, ReadKaldiDirectory(directory, description_.alignments()));
    return MakePart(directory, std::move(part));
  }

  // Checks and normalises.
  absl::StatusOr<std::shared_ptr<const Dataset>> MakePart(const std::string& directory, KaldiDirectory part) {
    RETURN_IF_ERROR(CheckLabels(part, directory, classes_));
    const size_t dim = part.feature_dim;
    const int64_t window = int64_t{description_.left_context()} + 1 + description_.right_context();
    if (window * part.feature_dim > std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(
          absl::StrCat(directory, ": a window of ", window,
                       " frames (data.left_context, data.right_context) of dimension ", dim,
                       ": wanted below 2^31 values"));
    }
    if (data_.normalization.mean.size() != dim || data_.normalization.stddev.size() != dim) {
      return absl::InvalidArgumentError(absl::StrCat(directory, ": feature dimension ", dim, ": wanted ",
                                                     data_.normalization.mean.size(),
                                                     ", that of the normalisation"));
    }
    ASSIGN_OR_RETURN(std::vector<bool> silence_class, SilenceClasses(part, directory, classes_));
    for (std::string& note : part.notes) data_.notes.push_back(std::move(note));
    Normalize(data_.normalization, absl::MakeSpan(part.features));
    return std::make_shared<const Dataset>(std::move(part.utterances), std::move(part.features),
                                           std::move(part.labels), part.feature_dim,
                                           description_.left_context(), description_.right_context(),
                                           silence_class.empty() ? silence_class_ : std::move(silence_class));
  }

  const DataDescription& description_;
  int32_t classes_ = 0;
  std::vector<bool> silence_class_;  // as the training directory says
  RunData data_;
};

}  // namespace

absl::StatusOr<RunData> LoadRunData(const DataDescription& description, const Normalization* normalization) {
  if (description.has_mnist_dir() && (description.has_train_dir() || description.has_test_dir())) {
    return absl::InvalidArgumentError("data.mnist_dir and data.train_dir are both set, want one of them");
  }
  if (description.has_mnist_dir()) return LoadMnistRunData(description, normalization);
  if (!description.has_train_dir() || !description.has_test_dir()) {
    return absl::InvalidArgumentError(
        "data: wanted train_dir and test_dir (Kaldi data directories), or mnist_dir");
  }
  return KaldiRunReader(description).Read(normalization);
}

}  // namespace downpour
