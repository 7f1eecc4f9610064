// Where on the data's way: from the parameters to the evaluator; when an evaluation is due.
#ifndef DOWNPOUR_SERVER_COORDINATOR_EVALUATION_SCHEDULE_H_
#define DOWNPOUR_SERVER_COORDINATOR_EVALUATION_SCHEDULE_H_

#include <optional>

#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"
#include "server/coordinator/gradient_noise.h"
#include "server/coordinator/staleness_histogram.h"

namespace downpour {

// What was reported between two evaluations.
struct ReportedSpan {
  double loss_sum = 0;  // cross-entropy in nats, summed over `frames`
  int64_t frames = 0;
  StalenessHistogram staleness;
  GradientNoise gradient_noise;
};

// Plans an evaluation before the first update, one for each multiple of every_updates that the updates pass
// (those passed while one is under way share the next), and a last one when the budget is reached. Each
// covers the reports since the one before was handed out. A pure state machine; not thread-safe.
class EvaluationSchedule {
 public:
  struct Evaluation {
    EvaluationPoint point;
    ReportedSpan reported;
  };

  // With every_updates < 1 there are only the first evaluation and the last.
  explicit EvaluationSchedule(int64_t every_updates) : every_updates_(every_updates) {}

  // Where reports add what they bring.
  ReportedSpan& reported() { return reported_; }
  // Mean cross-entropy in nats over the frames reported since the last line, if any, else that line's own.
  double train_loss() const;

  // Whether an evaluation is to be handed out. If one is under way, its result is awaited for `patience_s`
  // seconds of virtual_s; after that its evaluator is taken for lost.
  bool Due(const EvaluationPoint& now, double patience_s) const;
  // Hands the due evaluation out as of now. It replaces one that was not recorded and covers its reports too.
  void HandOut(const EvaluationPoint& now);
  // Ends the evaluation under way with its result, and returns it. NOT_FOUND, and nothing changes: no
  // evaluation of result.updates is under way (it is recorded already, or was handed out again since).
  absl::StatusOr<Evaluation> Record(const EvaluationResult& result);

  // Whether an evaluation with the budget reached has been recorded.
  bool final_recorded() const { return final_recorded_; }
  // For a run that goes on with a larger budget.
  void ForgetFinal();
  const std::optional<EvaluationResult>& last_recorded() const { return last_recorded_; }

  EvaluationScheduleState Save() const;
  // INVALID_ARGUMENT: as StalenessHistogram::Load and GradientNoise::Load.
  absl::Status Load(const EvaluationScheduleState& state);

 private:
  int64_t NextMark() const;

  int64_t every_updates_;
  ReportedSpan reported_;  // since the last evaluation was handed out
  std::optional<Evaluation> handed_out_;
  std::optional<EvaluationResult> last_recorded_;
  int64_t recorded_there_ = 0;  // at the updates of last_recorded_
  double last_train_loss_ = 0;
  bool final_recorded_ = false;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_EVALUATION_SCHEDULE_H_
