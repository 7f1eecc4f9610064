// Where on the data's way: between parameters and evaluator; when an evaluation is due, and what its log line
// covers.
#ifndef DOWNPOUR_SERVER_COORDINATOR_EVALUATION_SCHEDULE_H_
#define DOWNPOUR_SERVER_COORDINATOR_EVALUATION_SCHEDULE_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"
#include "proto/coordinator.pb.h"
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

// One evaluation before the first update, one whenever the updates have passed a multiple of every_updates
// (those passed meanwhile fall together), and a last one with the budget reached. Each covers what was
// reported since the one before it was handed out. A pure state machine; not thread-safe.
class EvaluationSchedule {
 public:
  struct Evaluation {
    EvaluationPoint point;
    ReportedSpan reported;
  };

  // every_updates < 1: only the first and the last.
  explicit EvaluationSchedule(int64_t every_updates) : every_updates_(every_updates) {}

  // Where reports add what they bring.
  ReportedSpan& reported() { return reported_; }
  // Mean cross-entropy in nats over the frames reported since the last line; the last line's while there are
  // none.
  double train_loss() const;

  // Whether an evaluation is to be handed out. Of one under way the result is awaited for `patience_s` of
  // virtual_s; its evaluator is taken for lost then.
  bool Due(const EvaluationPoint& now, double patience_s) const;
  // Hands the due evaluation out as of now. One handed out before and not recorded is replaced; the new one
  // then covers what that one did as well.
  void HandOut(const EvaluationPoint& now);
  // The evaluation under way that the result belongs to, which is over with this. NOT_FOUND: none of
  // result.updates is under way (it is recorded already, or was handed out again since); nothing changes.
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
  double last_train_loss_ = 0;
  bool final_recorded_ = false;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_EVALUATION_SCHEDULE_H_
