// Where on the data's way: what the replicas report; adds it up and compares it with the budget.
#include "server/coordinator/run_progress.h"

#include <algorithm>

#include "common/status_macros.h"

namespace downpour {

RunProgress::RunProgress(const RunDescription& description, Clock* clock, Clock* wall_clock)
    : budget_(description.budget()),
      clock_(clock),
      wall_clock_(wall_clock),
      started_(clock->Now()),
      wall_started_(clock == wall_clock ? started_ : wall_clock->Now()),
      last_update_(wall_started_),
      evaluations_(description.evaluation().every_updates()),
      plateau_(description.optimizer().schedule()) {}

void RunProgress::Add(const ReportTotals& added, const ReportRequest& report) {
  updates_ += added.pushes_applied;
  if (added.pushes_applied > 0) last_update_ = wall_clock_->Now();
  frames_ += added.frames;
  pushes_rejected_ += added.pushes_rejected;
  pushes_late_ += added.pushes_late;
  ReportedSpan& reported = evaluations_.reported();
  reported.loss_sum += added.loss_sum;
  reported.frames += added.frames;
  for (const uint64_t staleness : report.staleness()) {
    staleness_.Add(staleness);
    reported.staleness.Add(staleness);
  }
  if (!report.gradient_sketch().empty()) reported.gradient_noise.Add(report.gradient_sketch());
}

double RunProgress::Epoch() const {
  return frames_of_an_epoch_ > 0 ? static_cast<double>(frames_) / frames_of_an_epoch_ : 0;
}

double RunProgress::FractionDone() const {
  double fraction = 0;
  if (budget_.updates() > 0) fraction = static_cast<double>(updates_ + pushes_rejected_) / budget_.updates();
  if (budget_.epochs() > 0) fraction = std::max(fraction, Epoch() / budget_.epochs());
  return std::min(fraction, 1.0);
}

EvaluationPoint RunProgress::PointNow(int live_replicas) const {
  const absl::Time wall_now = wall_clock_->Now();
  EvaluationPoint point;
  point.set_updates(updates_);
  point.set_frames(frames_);
  point.set_epoch(Epoch());
  point.set_wall_s(absl::ToDoubleSeconds(wall_now - wall_started_));
  // One clock read twice would differ.
  point.set_virtual_s(clock_ == wall_clock_ ? point.wall_s()
                                            : absl::ToDoubleSeconds(clock_->Now() - started_));
  point.set_unix_time_s(absl::ToDoubleSeconds(wall_clock_->WallNow() - absl::UnixEpoch()));
  point.set_live_replicas(live_replicas);
  point.set_pushes_rejected(pushes_rejected_);
  point.set_budget_reached(BudgetReached());
  return point;
}

void RunProgress::AddTo(RunStatus* status) const {
  status->set_updates(updates_);
  status->set_frames(frames_);
  status->set_epoch(Epoch());
  status->set_pushes_rejected(pushes_rejected_);
  status->set_pushes_late(pushes_late_);
  status->set_fraction_done(FractionDone());
  status->set_train_loss(evaluations_.train_loss());
  status->set_plateau_factor(plateau_.factor());
  if (evaluations_.last_recorded().has_value())
    *status->mutable_last_evaluation() = *evaluations_.last_recorded();
}

void RunProgress::Save(CoordinatorCheckpoint* checkpoint) const {
  *checkpoint->mutable_evaluations() = evaluations_.Save();
  *checkpoint->mutable_plateau() = plateau_.Save();
  *checkpoint->mutable_staleness() = staleness_.Save();
  checkpoint->set_updates(updates_);
  checkpoint->set_frames(frames_);
  checkpoint->set_pushes_rejected(pushes_rejected_);
  checkpoint->set_pushes_late(pushes_late_);
  checkpoint->set_wall_s(absl::ToDoubleSeconds(wall_clock_->Now() - wall_started_));
  checkpoint->set_virtual_s(absl::ToDoubleSeconds(clock_->Now() - started_));
  checkpoint->set_budget_reached(BudgetReached());
}

absl::Status RunProgress::Load(const CoordinatorCheckpoint& checkpoint) {
  RETURN_IF_ERROR(evaluations_.Load(checkpoint.evaluations()));
  RETURN_IF_ERROR(staleness_.Load(checkpoint.staleness()));
  if (checkpoint.has_plateau()) plateau_.Load(checkpoint.plateau());
  updates_ = checkpoint.updates();
  frames_ = checkpoint.frames();
  pushes_rejected_ = checkpoint.pushes_rejected();
  pushes_late_ = checkpoint.pushes_late();
  wall_started_ = wall_clock_->Now() - absl::Seconds(checkpoint.wall_s());
  started_ = clock_->Now() - absl::Seconds(checkpoint.virtual_s());
  // A run that goes on with a larger budget is evaluated again at its end.
  if (!BudgetReached()) evaluations_.ForgetFinal();
  return absl::OkStatus();
}

}  // namespace downpour
