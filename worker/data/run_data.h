// Where on the data's way: between the data's files and the replicas and evaluators that read them.
#ifndef DOWNPOUR_WORKER_DATA_RUN_DATA_H_
#define DOWNPOUR_WORKER_DATA_RUN_DATA_H_

#include "absl/status/statusor.h"
#include "worker/data/dataset.h"
#include "worker/data/kaldi_features.h"
#include "worker/data/normalization.h"

namespace downpour {

// What a run reads: a training part and test sets. A worker has only the one, an evaluator only the others.
struct RunData {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;
  std::shared_ptr<const Dataset> test_human;  // null: none
  Normalization normalization;
  DataSummary summary;  // Summarize() of the training part, and majority_test_accuracy
  // Warnings: e.g. how many utterances were left out, and why; test features unlike the training part's.
  std::vector<std::string> notes;
};

// Reads what `description` names. If `normalization` is null, it is computed on the training part; otherwise
// it is used as given (a resumed run's, or the coordinator's). `features` says what may be read. For Kaldi data directories, classes is
// data.classes if that is set, else the number in the training directory's num_pdfs if it has one, else one
// more than the training part's largest label. A test directory without a file silence_pdfs takes the
// training directory's. INVALID_ARGUMENT: both kinds of data or neither; a label not below classes, a feature
// dimension that differs between parts or from `normalization`, a window of 2^31 values or more. Others, and
// INVALID_ARGUMENT too: as kaldi_directory.h and idx.h; the messages name the file and the place in it.
absl::StatusOr<RunData> LoadRunData(const DataDescription& description, const Normalization* normalization,
                                    const FeatureOptions& features = {});

// Both read a part of a run whose data is `known`, and leave the rest null; of MNIST they read all. Statuses
// as LoadRunData. LoadTrainingPart reads what a worker needs: train, with the summary of what was read, but
// majority_test_accuracy as it is known. LoadTestSets reads what an evaluator needs: test and test_human,
// checked against `known`, which is also the summary; of the training directory it reads only silence_pdfs.
absl::StatusOr<RunData> LoadTrainingPart(const DataDescription& description, const DataSummary& known,
                                         const FeatureOptions& features = {});
absl::StatusOr<RunData> LoadTestSets(const DataDescription& description, const DataSummary& known,
                                     const FeatureOptions& features = {});

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_RUN_DATA_H_
