// Where on the data's way: what the replicas report, added up; how far the run is and when it is evaluated.
#ifndef DOWNPOUR_SERVER_COORDINATOR_RUN_PROGRESS_H_
#define DOWNPOUR_SERVER_COORDINATOR_RUN_PROGRESS_H_

#include "common/clock.h"
#include "server/coordinator/evaluation_schedule.h"
#include "server/coordinator/plateau.h"
#include "server/coordinator/report_totals.h"
#include "server/coordinator/staleness_histogram.h"

namespace downpour {

// Updates, frames, time and staleness of a run since it began, budget and evaluations. Not thread-safe.
class RunProgress {
 public:
  // The run begins now. The clocks are not owned: `clock` gives virtual_s, `wall_clock` gives wall_s.
  RunProgress(const RunDescription& description, Clock* clock, Clock* wall_clock);

  // How many frames the training part has; until it is known the epoch is 0.
  void SetFramesOfAnEpoch(int64_t frames) { frames_of_an_epoch_ = frames; }
  // Adds what `report` says in addition to the replica's report before: the totals `added`, the staleness of
  // pushes and the gradient sketch. The sketch is empty or has kGradientSketchSize elements.
  void Add(const ReportTotals& added, const ReportRequest& report);

  int64_t updates() const { return updates_; }
  // Since the last update; without one, since this was made. By `wall_clock`.
  absl::Duration SinceUpdate() const { return wall_clock_->Now() - last_update_; }
  // Of the whole run, in updates.
  const StalenessHistogram& staleness() const { return staleness_; }
  EvaluationSchedule& evaluations() { return evaluations_; }
  const EvaluationSchedule& evaluations() const { return evaluations_; }
  Plateau& plateau() { return plateau_; }
  bool BudgetReached() const { return FractionDone() >= 1; }

  EvaluationPoint PointNow(int live_replicas) const;
  // Sets the status's fields on updates, frames, rejected and late pushes, evaluations and the plateau, and
  // leaves the others.
  void AddTo(RunStatus* status) const;

  // Sets the checkpoint's fields that Load() takes, and leaves the others.
  void Save(CoordinatorCheckpoint* checkpoint) const;
  // Goes on from the checkpoint, after SetFramesOfAnEpoch() if the data is known. INVALID_ARGUMENT: as
  // EvaluationSchedule::Load and StalenessHistogram::Load.
  absl::Status Load(const CoordinatorCheckpoint& checkpoint);

 private:
  double Epoch() const;
  double FractionDone() const;

  BudgetDescription budget_;
  Clock* clock_;
  Clock* wall_clock_;
  absl::Time started_;  // by clock_; a restore leaves out the time since the checkpoint
  absl::Time wall_started_;
  absl::Time last_update_;  // by wall_clock_
  int64_t frames_of_an_epoch_ = 0;
  EvaluationSchedule evaluations_;
  Plateau plateau_;
  StalenessHistogram staleness_;
  int64_t updates_ = 0;
  int64_t frames_ = 0;
  int64_t pushes_rejected_ = 0;
  int64_t pushes_late_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_RUN_PROGRESS_H_
