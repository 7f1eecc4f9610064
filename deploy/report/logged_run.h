// Where on the data's way: the report; one run folder's files come in, a LoggedRun for the figures goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_LOGGED_RUN_H_
#define DOWNPOUR_DEPLOY_REPORT_LOGGED_RUN_H_

#include "absl/status/statusor.h"
#include "deploy/report/csv.h"
#include "proto/config.pb.h"

namespace downpour {

// A run that has finished, is still going on, or was broken off. A value.
struct LoggedRun {
  std::string directory;
  std::string name;  // that of the run description or, where it has none, of the folder
  RunDescription description;
  // frame_accuracy.csv; columns as in server/coordinator/evaluation_line.h, but an older log may lack some.
  CsvTable log;
  // (staleness, pushes) of staleness.csv: whole numbers, staleness ascending.
  std::vector<std::pair<double, double>> staleness;
  // Test accuracy of always giving the training part's most frequent class, in [0, 1]. 0: not known.
  double majority_test_accuracy = 0;
  bool at_budget = false;  // it has one, and has reached it
  // What could not be read and, if the run has not reached its budget, how far it is.
  std::vector<std::string> notes;
};

// Reads what it can, notes what it cannot. NOT_FOUND: neither run.textproto nor frame_accuracy.csv is there.
absl::StatusOr<LoggedRun> ReadRun(const std::string& directory);

// The mean of test_frame_accuracy over the last three evaluations, or as many as there are: a single one
// varies by more than the settings of a sweep differ. No value without any.
std::optional<double> FinalAccuracy(const LoggedRun& run);
// The seconds on the cluster's clock, virtual or wall, after which test_frame_accuracy first reached
// `accuracy`, in [0, 1], interpolated linearly between two evaluations. No value if it never did.
std::optional<double> SecondsToAccuracy(double accuracy, const LoggedRun& run);
// The simple noise scale (server/coordinator/gradient_noise.h) of the second half of the run, in frames. No
// value where the log lacks it, or where noise hides the gradient: |g|^2 within two standard errors of 0.
std::optional<double> NoiseScaleFrames(const LoggedRun& run);
// "512-512 rectified linear units"; without hidden layers, "softmax regression".
std::string NetworkText(const NetworkDescription& network);
// "gradient σ 1, 20 % of labels random, 10 % of replicas × -1"; without noise, "none".
std::string NoiseText(const NoiseDescription& noise);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_LOGGED_RUN_H_
