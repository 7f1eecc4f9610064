// Where on the data's way: from the parameters to the evaluator; adds up reports between evaluations.
#include "server/coordinator/evaluation_schedule.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

void Append(const ReportedSpan& later, ReportedSpan* span) {
  span->loss_sum += later.loss_sum;
  span->frames += later.frames;
  span->staleness.Merge(later.staleness);
  span->gradient_noise.Merge(later.gradient_noise);
}

ReportedSpanState SaveSpan(const ReportedSpan& span) {
  ReportedSpanState state;
  state.set_loss_sum(span.loss_sum);
  state.set_frames(span.frames);
  *state.mutable_staleness() = span.staleness.Save();
  *state.mutable_gradient_noise() = span.gradient_noise.Save();
  return state;
}

absl::StatusOr<ReportedSpan> LoadSpan(const ReportedSpanState& state) {
  ReportedSpan span{state.loss_sum(), state.frames(), {}, {}};
  RETURN_IF_ERROR(span.staleness.Load(state.staleness()));
  RETURN_IF_ERROR(span.gradient_noise.Load(state.gradient_noise()));
  return span;
}

}  // namespace

double EvaluationSchedule::train_loss() const {
  // The sums only: this is asked several times a second, and the rest of a span is large.
  double loss_sum = reported_.loss_sum;
  int64_t frames = reported_.frames;
  if (handed_out_.has_value()) {
    loss_sum += handed_out_->reported.loss_sum;
    frames += handed_out_->reported.frames;
  }
  return frames > 0 ? loss_sum / static_cast<double>(frames) : last_train_loss_;
}

int64_t EvaluationSchedule::NextMark() const {
  if (!last_recorded_.has_value()) return 0;
  if (every_updates_ < 1) return std::numeric_limits<int64_t>::max();
  return (last_recorded_->updates() / every_updates_ + 1) * every_updates_;
}

bool EvaluationSchedule::Due(const EvaluationPoint& now, double patience_s) const {
  if (handed_out_.has_value()) return now.virtual_s() - handed_out_->point.virtual_s() >= patience_s;
  return now.updates() >= NextMark() || (now.budget_reached() && !final_recorded_);
}

void EvaluationSchedule::HandOut(const EvaluationPoint& now) {
  Evaluation evaluation{now, {}};
  if (handed_out_.has_value()) evaluation.reported = std::move(handed_out_->reported);
  Append(std::exchange(reported_, {}), &evaluation.reported);
  handed_out_ = std::move(evaluation);
}

absl::StatusOr<EvaluationSchedule::Evaluation> EvaluationSchedule::Record(const EvaluationResult& result) {
  if (!handed_out_.has_value() || handed_out_->point.updates() != result.updates()) {
    return absl::NotFoundError(absl::StrCat("no evaluation of ", result.updates(), " updates is under way"));
  }
  Evaluation evaluation = *std::exchange(handed_out_, std::nullopt);
  const ReportedSpan& reported = evaluation.reported;
  if (reported.frames > 0) last_train_loss_ = reported.loss_sum / reported.frames;
  const bool there = last_recorded_.has_value() && last_recorded_->updates() == result.updates();
  recorded_there_ = there ? recorded_there_ + 1 : 1;
  last_recorded_ = result;
  final_recorded_ = evaluation.point.budget_reached();
  return evaluation;
}

void EvaluationSchedule::ForgetFinal() {
  final_recorded_ = false;
  if (handed_out_.has_value()) handed_out_->point.set_budget_reached(false);
}

EvaluationScheduleState EvaluationSchedule::Save() const {
  EvaluationScheduleState state;
  *state.mutable_reported() = SaveSpan(reported_);
  if (handed_out_.has_value()) {
    *state.mutable_handed_out() = handed_out_->point;
    *state.mutable_handed_out_reported() = SaveSpan(handed_out_->reported);
  }
  if (last_recorded_.has_value()) *state.mutable_last_recorded() = *last_recorded_;
  state.set_last_train_loss(last_train_loss_);
  state.set_final_recorded(final_recorded_);
  state.set_recorded_there(recorded_there_);
  return state;
}

absl::Status EvaluationSchedule::Load(const EvaluationScheduleState& state) {
  ASSIGN_OR_RETURN(reported_, LoadSpan(state.reported()));
  handed_out_.reset();
  if (state.has_handed_out()) {
    ASSIGN_OR_RETURN(ReportedSpan span, LoadSpan(state.handed_out_reported()));
    handed_out_ = Evaluation{state.handed_out(), std::move(span)};
  }
  last_recorded_.reset();
  if (state.has_last_recorded()) last_recorded_ = state.last_recorded();
  last_train_loss_ = state.last_train_loss();
  final_recorded_ = state.final_recorded();
  recorded_there_ = state.has_last_recorded() ? std::max<int64_t>(1, state.recorded_there()) : 0;
  return absl::OkStatus();
}

}  // namespace downpour
