// Where on the data's way: the report; one run folder's files come in, a LoggedRun for the figures goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_LOGGED_RUN_H_
#define DOWNPOUR_DEPLOY_REPORT_LOGGED_RUN_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "deploy/report/csv.h"
#include "proto/config.pb.h"

namespace downpour {

// A run that has finished, is still going on, or was broken off. A value.
struct LoggedRun {
  std::string directory;
  std::string name;  // that of the run description or, where it has none, of the folder
  RunDescription description;
  // frame_accuracy.csv, whose columns server/coordinator/evaluation_line.h tells. The log of an older version
  // may lack some.
  CsvTable log;
  // (staleness, pushes) of staleness.csv: whole numbers, staleness ascending.
  std::vector<std::pair<double, double>> staleness;
  // The accuracy on the test set of always giving the training part's most frequent class, in [0, 1]. 0:
  // not known.
  double majority_test_accuracy = 0;
  // What could not be read and, if the run has not reached its budget, how far it is.
  std::vector<std::string> notes;
};

// Reads what it can of a run folder, and notes what it cannot. NOT_FOUND: `directory` has neither
// run.textproto nor frame_accuracy.csv.
absl::StatusOr<LoggedRun> ReadRun(const std::string& directory);

// Mean of the histogram, and its smallest value that at least `share` of all pushes do not exceed; absent
// without pushes.
std::optional<double> StalenessMean(const LoggedRun& run);
std::optional<double> StalenessQuantile(const LoggedRun& run, double share);

// The simple noise scale (server/coordinator/gradient_noise.h) of the second half of the run, in frames. No
// value where the log does not have it, or where the noise hides the gradient: |g|^2 is within two standard
// errors of 0.
std::optional<double> NoiseScaleFrames(const LoggedRun& run);

// "512-512 rectified linear units"; without hidden layers, "softmax regression".
std::string NetworkText(const NetworkDescription& network);
// "gradient σ 1, 20 % of labels random, 10 % of replicas × -1"; without noise, "none".
std::string NoiseText(const NoiseDescription& noise);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_LOGGED_RUN_H_
