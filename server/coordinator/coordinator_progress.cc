// Where on the data's way: beside it; the coordinator's account of the run: budget, evaluations, status,
// checkpoint.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/program/run_description.h"
#include "common/status_macros.h"
#include "server/coordinator/coordinator.h"
#include "spdlog/spdlog.h"

namespace downpour {

double Coordinator::Epoch() const {
  return data_.has_value() ? static_cast<double>(frames_) / data_->frames() : 0;
}

double Coordinator::FractionDone() const {
  const BudgetDescription& budget = options_.description.budget();
  double fraction = 0;
  if (budget.updates() > 0) fraction = static_cast<double>(updates_ + pushes_rejected_) / budget.updates();
  if (budget.epochs() > 0) fraction = std::max(fraction, Epoch() / budget.epochs());
  return std::min(fraction, 1.0);
}

EvaluationPoint Coordinator::PointNow() const {
  const absl::Time wall_now = options_.wall_clock->Now();
  EvaluationPoint point;
  point.set_updates(updates_);
  point.set_frames(frames_);
  point.set_epoch(Epoch());
  point.set_wall_s(absl::ToDoubleSeconds(wall_now - wall_started_));
  // One clock read twice would differ.
  point.set_virtual_s(options_.clock == options_.wall_clock
                          ? point.wall_s()
                          : absl::ToDoubleSeconds(options_.clock->Now() - started_));
  point.set_unix_time_s(absl::ToDoubleSeconds(wall_now - absl::UnixEpoch()));
  point.set_live_replicas(membership_.size());
  point.set_pushes_rejected(pushes_rejected_);
  point.set_budget_reached(BudgetReached());
  return point;
}

absl::StatusOr<NextEvaluationReply> Coordinator::NextEvaluation(const NextEvaluationRequest&) {
  absl::MutexLock lock(&mutex_);
  NextEvaluationReply reply;
  reply.set_directive(NextEvaluationReply::WAIT);
  const EvaluationPoint now = PointNow();
  if (evaluations_.final_recorded()) {
    if (final_on_disk_) reply.set_directive(NextEvaluationReply::STOP);
  } else if (ShardsComplete().ok() &&
             evaluations_.Due(now, options_.description.cluster().replica_timeout_s())) {
    evaluations_.HandOut(now);
    reply.set_directive(NextEvaluationReply::EVALUATE);
    reply.set_updates(updates_);
  }
  return reply;
}

absl::StatusOr<RecordEvaluationReply> Coordinator::RecordEvaluation(const EvaluationResult& request) {
  absl::MutexLock observer_lock(&observer_mutex_);
  EvaluationRecord record;
  record.result = request;
  {
    absl::MutexLock lock(&mutex_);
    if (request.updates() < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("evaluation result: updates is ", request.updates(), ", wanted 0 or more"));
    }
    if (request.test().frames() < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("evaluation result: test.frames is ", request.test().frames(), ", wanted at least 1"));
    }
    absl::StatusOr<EvaluationSchedule::Evaluation> evaluation = evaluations_.Record(request);
    if (!evaluation.ok()) {
      spdlog::warn("evaluation result ignored: {}", std::string(evaluation.status().message()));
      return RecordEvaluationReply();
    }
    record.point = evaluation->point;
    record.reported = std::move(evaluation->reported);
    record.staleness = staleness_;
  }
  if (options_.observer != nullptr) options_.observer->OnEvaluation(record);
  return RecordEvaluationReply();
}

absl::StatusOr<RunStatus> Coordinator::GetRunStatus(const RunStatusRequest&) {
  absl::MutexLock lock(&mutex_);
  RunStatus status;
  status.set_phase(evaluations_.final_recorded() && final_on_disk_ ? RunStatus::FINISHED
                   : ShardsComplete().ok()                         ? RunStatus::TRAINING
                                                                   : RunStatus::WAITING);
  status.set_updates(updates_);
  status.set_frames(frames_);
  status.set_epoch(Epoch());
  status.set_live_replicas(membership_.size());
  status.set_pushes_rejected(pushes_rejected_);
  status.set_fraction_done(FractionDone());
  status.set_train_loss(evaluations_.train_loss());
  if (evaluations_.last_recorded().has_value())
    *status.mutable_last_evaluation() = *evaluations_.last_recorded();
  status.set_shards_registered(static_cast<int32_t>(shards_.size()));
  return status;
}

CoordinatorCheckpoint Coordinator::Checkpoint() const {
  absl::MutexLock observer_lock(&observer_mutex_);
  absl::MutexLock lock(&mutex_);
  CoordinatorCheckpoint checkpoint;
  *checkpoint.mutable_description() = options_.description;
  checkpoint.set_run_id(options_.run_id);
  if (data_.has_value()) {
    *checkpoint.mutable_data() = *data_;
    *checkpoint.mutable_slices() = slices_->Save();
  }
  for (const auto& [shard, address] : shards_) {
    ShardAddress* entry = checkpoint.add_shards();
    entry->set_shard(shard);
    entry->set_address(address);
  }
  const absl::Time now = options_.clock->Now();
  *checkpoint.mutable_membership() = membership_.Save(now);
  *checkpoint.mutable_evaluations() = evaluations_.Save();
  *checkpoint.mutable_staleness() = staleness_.Save();
  checkpoint.set_updates(updates_);
  checkpoint.set_frames(frames_);
  checkpoint.set_pushes_rejected(pushes_rejected_);
  checkpoint.set_wall_s(absl::ToDoubleSeconds(options_.wall_clock->Now() - wall_started_));
  checkpoint.set_virtual_s(absl::ToDoubleSeconds(now - started_));
  checkpoint.set_warm_start_replica(warm_start_replica_);
  checkpoint.set_budget_reached(BudgetReached());
  return checkpoint;
}

void Coordinator::CheckpointWritten(const CoordinatorCheckpoint& checkpoint) {
  absl::MutexLock lock(&mutex_);
  budget_on_disk_ = checkpoint.budget_reached();
  final_on_disk_ = checkpoint.evaluations().final_recorded();
}

absl::Status Coordinator::Load(const CoordinatorCheckpoint& checkpoint) {
  absl::MutexLock lock(&mutex_);
  if (checkpoint.has_data()) {
    RETURN_IF_ERROR(FixData(checkpoint.data()));
    RETURN_IF_ERROR(slices_->Load(checkpoint.slices()));
  } else if (checkpoint.membership().replicas_size() > 0) {
    return absl::InvalidArgumentError("checkpoint: replicas in the cluster, but no data summary");
  }
  for (const ShardAddress& entry : checkpoint.shards()) shards_[entry.shard()] = entry.address();
  const absl::Time now = options_.clock->Now();
  membership_.Load(checkpoint.membership(), now);
  RETURN_IF_ERROR(evaluations_.Load(checkpoint.evaluations()));
  RETURN_IF_ERROR(staleness_.Load(checkpoint.staleness()));
  updates_ = checkpoint.updates();
  frames_ = checkpoint.frames();
  pushes_rejected_ = checkpoint.pushes_rejected();
  wall_started_ = options_.wall_clock->Now() - absl::Seconds(checkpoint.wall_s());
  started_ = now - absl::Seconds(checkpoint.virtual_s());
  warm_start_replica_ = checkpoint.warm_start_replica();
  if (!BudgetReached()) evaluations_.ForgetFinal();
  spdlog::info("goes on at {} updates with {} replicas", updates_, membership_.size());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Restore(Options options,
                                                                  const CoordinatorCheckpoint& checkpoint) {
  if (checkpoint.run_id() != options.run_id) {
    return absl::FailedPreconditionError(
        absl::StrCat("checkpoint: run_id is '", checkpoint.run_id(), "', wanted '", options.run_id, "'"));
  }
  RETURN_IF_ERROR(CheckSameProcessRun(checkpoint.description(), options.description));
  ASSIGN_OR_RETURN(std::unique_ptr<Coordinator> coordinator, Create(std::move(options)));
  RETURN_IF_ERROR(coordinator->Load(checkpoint));
  return coordinator;
}

}  // namespace downpour
