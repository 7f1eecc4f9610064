// Where on the data's way: at its end; one run folder as the report reads it.
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

// A run finished, going on or broken off. A value.
struct LoggedRun {
  std::string directory;
  std::string name;  // the description's, or the folder's
  RunDescription description;
  CsvTable log;  // frame_accuracy.csv, columns as in server/coordinator/evaluation_line.h; an older log may lack some
  std::vector<std::pair<double, double>> staleness;  // (staleness, pushes) of staleness.csv; whole, ascending
  // What always giving the training part's most frequent class scores on the test set; 0: not known.
  double majority_test_accuracy = 0;
  std::vector<std::string> notes;  // what could not be read, and how far the run is if not at its budget
};

// Whatever of the folder can be read. NOT_FOUND: `directory` has neither run.textproto nor
// frame_accuracy.csv.
absl::StatusOr<LoggedRun> ReadRun(const std::string& directory);

// Mean of the histogram, and its smallest value that at least `share` of all pushes do not exceed; absent
// without pushes.
std::optional<double> StalenessMean(const LoggedRun& run);
std::optional<double> StalenessQuantile(const LoggedRun& run, double share);

// The simple noise scale of the second half of the run (server/coordinator/gradient_noise.h), in frames. Absent where
// it is not known, or the gradient drowns in its noise: |g|^2 is within two standard errors of 0.
std::optional<double> NoiseScaleFrames(const LoggedRun& run);

// "512-512 rectified linear units"; "softmax regression" without hidden layers.
std::string NetworkText(const NetworkDescription& network);
// "gradient σ 1, 20 % of labels, 10 % of replicas × -1"; "none".
std::string NoiseText(const NoiseDescription& noise);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_LOGGED_RUN_H_
