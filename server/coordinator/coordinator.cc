// Where on the data's way: the coordinator; answers each message under one lock.
#include "server/coordinator/coordinator.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/layout/network_layout.h"
#include "common/layout/shard_map.h"
#include "common/program/logging.h"
#include "common/program/run_description_rules.h"
#include "common/status_macros.h"
#include "server/coordinator/evaluation_line.h"
#include "server/coordinator/request_checks.h"

namespace downpour {

Coordinator::Coordinator(Options options)
    : options_(std::move(options)),
      tokens_(options_.run_secret, options_.run_id),
      views_(options_.description.cluster().shards(), options_.checkpointed,
             options_.description.cluster().standbys()),
      progress_(options_.description, options_.clock, options_.wall_clock),
      barrier_(options_.description.cluster()),
      budget_on_disk_(!options_.checkpointed),
      final_on_disk_(!options_.checkpointed) {}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Create(Options options) {
  if (options.run_id.empty()) return absl::InvalidArgumentError("run_id is empty, want a name for the run");
  return std::unique_ptr<Coordinator>(new Coordinator(std::move(options)));
}

absl::StatusOr<DescribeReply> Coordinator::Describe(const DescribeRequest&) {
  absl::MutexLock lock(&mutex_);
  DescribeReply reply;
  *reply.mutable_description() = options_.description;
  reply.set_run_id(options_.run_id);
  if (data_.has_value()) *reply.mutable_data() = *data_;
  return reply;
}

absl::Status Coordinator::CheckRunId(const std::string& run_id) const {
  if (run_id.empty() || run_id == options_.run_id) return absl::OkStatus();
  RETURN_IF_ERROR(CheckName("run_id", run_id));
  return absl::FailedPreconditionError(absl::StrCat("run_id is '", run_id, "', want '", options_.run_id,
                                                    "': this coordinator's run is another"));
}

absl::StatusOr<RegisterShardReply> Coordinator::RegisterShard(const RegisterShardRequest& request) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckRunId(request.run_id()));
  RETURN_IF_ERROR(CheckName("address", request.address()));
  if (!data_.has_value())
    return absl::UnavailableError("the run's data is not known yet: no replica has joined");
  ASSIGN_OR_RETURN(const ShardViews::Registered registered, views_.Register(request, options_.clock->Now()));
  const ShardAddress& shard = registered.shard;
  if (registered.role == RegisterShardReply::PRIMARY)
    WatchShard(shard, request.has_activity() ? &request.activity() : nullptr);
  RegisterShardReply reply;
  *reply.mutable_run() = run_;
  reply.set_shard(shard.shard());
  reply.set_view(shard.view());
  reply.set_role(registered.role);
  reply.set_primary(shard.address());
  reply.set_standby(shard.standby_server());
  reply.set_follower(registered.follower);
  *reply.mutable_description() = options_.description;
  *reply.mutable_data() = *data_;
  reply.set_updates(progress_.updates());
  reply.set_last_replica_id(membership_.last_replica_id());
  reply.set_last_incarnation(membership_.last_incarnation());
  reply.set_run_secret(tokens_.secret());
  return reply;
}

void Coordinator::WatchShard(const ShardAddress& shard, const ShardActivity* activity) {
  const bool in_process = shard.address().empty();  // it lives as long as the coordinator
  if (!in_process) shard_watch_.SignOfLife(shard, options_.clock->Now(), activity);
}

absl::Status Coordinator::FixData(const DataSummary& data) {
  RETURN_IF_ERROR(CheckDataSummary(data));
  const RunDescription& description = options_.description;
  const int32_t classes = description.data().classes();
  if (classes > 0 && data.classes() != classes) {
    return absl::FailedPreconditionError(absl::StrCat("data summary: classes is ", data.classes(), ", want ",
                                                      classes, " as in the run description"));
  }
  ASSIGN_OR_RETURN(const ParameterLayout layout,
                   NetworkLayout(description.network(), data.input_dim(), data.classes()));
  RETURN_IF_ERROR(ShardMap::Create(layout.size(), description.cluster().shards()).status());
  ASSIGN_OR_RETURN(slices_,
                   DataSlices::Create(data.utterances(), data.frames(), description.data().slice_frames()));
  run_.set_run_id(options_.run_id);
  run_.set_layout_fingerprint(layout.fingerprint());
  data_ = data;
  progress_.SetFramesOfAnEpoch(data.frames());
  LogInfo("data: ", data.frames(), " frames in ", data.utterances(), " utterances, ", data.classes(),
          " classes, ", slices_->slices_per_epoch(), " slices an epoch; ", layout.size(), " parameters");
  return absl::OkStatus();
}

absl::StatusOr<JoinReply> Coordinator::JoinLocked(const JoinRequest& request) {
  RETURN_IF_ERROR(CheckRunId(request.run_id()));
  RETURN_IF_ERROR(CheckName("host", request.host()));
  if (!request.evaluator() && !request.has_data())
    return absl::InvalidArgumentError("data is missing, want the summary of the replica's data");
  if (!data_.has_value() && !request.evaluator()) RETURN_IF_ERROR(FixData(request.data()));
  if (!data_.has_value())
    return absl::UnavailableError("the run's data is not known yet: no replica has joined");
  if (request.has_data()) RETURN_IF_ERROR(CheckSameData(request.data(), *data_));
  RETURN_IF_ERROR(views_.Complete());

  JoinReply reply;
  *reply.mutable_run() = run_;
  *reply.mutable_description() = options_.description;
  *reply.mutable_data() = *data_;
  views_.AddTo(&reply);
  // A replica that looks for a shard asks as an evaluator, too.
  if (request.evaluator()) return reply;
  if (membership_.size() >= options_.max_replicas) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the cluster has ", membership_.size(), " replicas and takes no more"));
  }
  const Member& member = membership_.Join(request.host(), options_.clock->Now(), options_.clock->WallNow());
  LogInfo("replica ", member.state.replica_id(), " incarnation ", member.state.incarnation(), " on '",
          request.host(), "' joined; ", membership_.size(), " replicas live");
  reply.set_replica_id(member.state.replica_id());
  reply.set_incarnation(member.state.incarnation());
  reply.set_token(tokens_.Of(reply.replica_id(), reply.incarnation()));
  return reply;
}

absl::StatusOr<JoinReply> Coordinator::Join(const JoinRequest& request) {
  absl::MutexLock observer_lock(&observer_mutex_);
  bool data_fixed = false;
  absl::StatusOr<JoinReply> reply;
  {
    absl::MutexLock lock(&mutex_);
    const bool data_known = data_.has_value();
    reply = JoinLocked(request);
    data_fixed = data_.has_value() && !data_known;
  }
  if (data_fixed && options_.observer != nullptr) options_.observer->OnDataSummary(request.data());
  return reply;
}

void Coordinator::Remove(uint64_t replica_id, const char* why) {
  membership_.Remove(replica_id, why, options_.clock->Now());
  const int64_t returned = slices_->Return(replica_id);
  LogInfo("replica ", replica_id, " ", why, "; ", membership_.size(), " replicas live, ", returned,
          " slices to deal again");
}

absl::StatusOr<LeaveReply> Coordinator::Leave(const LeaveRequest& request) {
  absl::MutexLock lock(&mutex_);
  if (membership_.Find(request.replica_id(), request.incarnation()).ok()) {
    RETURN_IF_ERROR(tokens_.Check(request));
    Remove(request.replica_id(), "left");
  }
  return LeaveReply();
}

void Coordinator::LookForLostShards() {
  absl::MutexLock lock(&mutex_);
  // Shards end by themselves once they know that the run is over.
  if (!progress_.evaluations().final_recorded()) shard_watch_.LookForLost(options_.clock->Now());
}

void Coordinator::RemoveDeadReplicas() {
  absl::MutexLock lock(&mutex_);
  const absl::Duration timeout = absl::Seconds(options_.description.cluster().replica_timeout_s());
  for (const uint64_t id : membership_.SilentSince(options_.clock->Now() - timeout))
    Remove(id, "taken for dead");
}

bool Coordinator::WarmStartIsOver() const {
  return progress_.updates() >= options_.description.cluster().warm_start_updates();
}

std::optional<uint64_t> Coordinator::Pace() const {
  absl::MutexLock lock(&mutex_);
  const std::optional<uint64_t> pace = barrier_.Pace(membership_);
  return pace.has_value() ? std::optional(WarmStartIsOver() ? 1 + *pace : 0) : std::nullopt;
}

bool Coordinator::MayBegin(uint64_t replica_id) const {
  const ClusterDescription& cluster = options_.description.cluster();
  if (cluster.join_every_updates() == 0) return true;
  const int64_t updates = progress_.updates() - cluster.warm_start_updates();
  // By id, so that who has begun is not told to wait again.
  return membership_.CountBefore(replica_id) <= updates / cluster.join_every_updates();
}

ReportReply::Directive Coordinator::DirectiveFor(MembershipState::Replica* replica) {
  if (progress_.BudgetReached()) return budget_on_disk_ ? ReportReply::STOP : ReportReply::WAIT;
  if (WarmStartIsOver()) {
    const bool goes_on = MayBegin(replica->replica_id()) && barrier_.GoesOn(membership_, replica);
    return goes_on ? ReportReply::CONTINUE : ReportReply::WAIT;
  }
  if (!membership_.Contains(warm_start_replica_)) {
    warm_start_replica_ = replica->replica_id();
    LogInfo("warm start by replica ", warm_start_replica_);
  }
  return replica->replica_id() == warm_start_replica_ ? ReportReply::CONTINUE : ReportReply::WAIT;
}

absl::StatusOr<ReportReply> Coordinator::Report(const ReportRequest& request) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(Member * member, membership_.Find(request.replica_id(), request.incarnation()));
  RETURN_IF_ERROR(tokens_.Check(request));
  ReportReply reply;
  if (request.still_busy()) {
    member->last_seen = options_.clock->Now();
    if (progress_.BudgetReached() && budget_on_disk_) reply.set_directive(ReportReply::STOP);
    return reply;
  }
  if (request.report() == 0)
    return absl::InvalidArgumentError("report is 0, want its number, counted from 1");
  RETURN_IF_ERROR(CheckSketch(request.gradient_sketch()));
  if (request.finished_size() > DataSlices::kMostLeases) {
    return absl::InvalidArgumentError(absl::StrCat("finished has ", request.finished_size(),
                                                   " slices, want at most ", DataSlices::kMostLeases));
  }
  MembershipState::Replica& state = member->state;
  const bool is_new = request.report() > state.report();
  if (is_new) {
    const ReportBounds bounds = {options_.description.cluster().minibatch(), data_->frames(),
                                 member->restored};
    const absl::StatusOr<ReportTotals> advanced = AdvanceTotals(request, bounds, &state);
    if (!advanced.ok() && member->restored) {
      return absl::NotFoundError(absl::StrCat(advanced.status().message(), "; too much is lost: join again"));
    }
    ASSIGN_OR_RETURN(const ReportTotals added, advanced);
    member->restored = false;
    if (WarmStartIsOver()) barrier_.Add(added, &state);
    progress_.Add(added, request);
    for (const uint64_t staleness : request.staleness()) {
      member->staleness_sum += static_cast<double>(staleness);
      ++member->staleness_pushes;
    }
    for (const DataSlice& slice : request.finished()) slices_->Finish(state.replica_id(), slice);
    state.clear_dealt();
    if (request.wants_slice() && slices_->Held(request.replica_id()) >= DataSlices::kMostLeases) {
      Remove(request.replica_id(), "holds too many slices");
      return absl::NotFoundError(absl::StrCat("replica ", request.replica_id(), " holds ",
                                              DataSlices::kMostLeases, " slices unfinished: join again"));
    }
  }
  member->last_seen = options_.clock->Now();
  reply.set_directive(DirectiveFor(&state));
  if (reply.directive() == ReportReply::CONTINUE) {
    if (is_new && request.wants_slice()) *state.mutable_dealt() = slices_->Deal(state.replica_id());
    if (request.report() == state.report() && state.has_dealt()) *reply.mutable_slice() = state.dealt();
  }
  return reply;
}

absl::StatusOr<NextEvaluationReply> Coordinator::NextEvaluation(const NextEvaluationRequest&) {
  absl::MutexLock lock(&mutex_);
  NextEvaluationReply reply;
  reply.set_directive(NextEvaluationReply::WAIT);
  const EvaluationPoint now = progress_.PointNow(membership_.size());
  EvaluationSchedule& evaluations = progress_.evaluations();
  if (evaluations.final_recorded()) {
    if (final_on_disk_) reply.set_directive(NextEvaluationReply::STOP);
  } else if (views_.Complete().ok() &&
             evaluations.Due(now, options_.description.cluster().replica_timeout_s())) {
    evaluations.HandOut(now);
    reply.set_directive(NextEvaluationReply::EVALUATE);
    reply.set_updates(progress_.updates());
  }
  return reply;
}

absl::StatusOr<RecordEvaluationReply> Coordinator::RecordEvaluation(const EvaluationResult& request) {
  absl::MutexLock observer_lock(&observer_mutex_);
  EvaluationRecord record;
  record.result = request;
  {
    absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(CheckEvaluationResult(request, options_.description.evaluation().max_frames()));
    absl::StatusOr<EvaluationSchedule::Evaluation> evaluation = progress_.evaluations().Record(request);
    if (!evaluation.ok()) {
      LogWarning("evaluation result ignored: ", evaluation.status().message());
      return RecordEvaluationReply();
    }
    progress_.plateau().Record(MeanLoss(request.test()).value_or(NAN));
    record.point = evaluation->point;
    record.reported = std::move(evaluation->reported);
    record.staleness = progress_.staleness();
  }
  if (options_.observer != nullptr) options_.observer->OnEvaluation(record);
  return RecordEvaluationReply();
}

RunStatus Coordinator::StatusNow() const {
  RunStatus status;
  status.set_phase(progress_.evaluations().final_recorded() && final_on_disk_ ? RunStatus::FINISHED
                   : views_.Complete().ok()                                   ? RunStatus::TRAINING
                                                                              : RunStatus::WAITING);
  progress_.AddTo(&status);
  status.set_live_replicas(membership_.size());
  status.set_shards_registered(views_.size());
  const absl::Time now = options_.clock->Now();
  shard_watch_.AddTo(now, &status);
  for (ShardLiveness& shard : *status.mutable_shards())
    shard.set_has_standby(!views_.StandbyOf(shard.shard(), now).empty());
  return status;
}

absl::StatusOr<RunStatus> Coordinator::GetRunStatus(const RunStatusRequest&) {
  absl::MutexLock lock(&mutex_);
  return StatusNow();
}

absl::StatusOr<Overview> Coordinator::GetOverview(const OverviewRequest&) {
  absl::MutexLock lock(&mutex_);
  Overview overview;
  overview.set_run_id(options_.run_id);
  *overview.mutable_status() = StatusNow();
  overview.set_since_update_s(absl::ToDoubleSeconds(progress_.SinceUpdate()));
  overview.set_staleness_mean(progress_.staleness().Mean());
  overview.set_staleness_p99(progress_.staleness().Percentile(99));
  overview.set_replica_timeout_s(options_.description.cluster().replica_timeout_s());
  membership_.AddTo(options_.clock->Now(), &overview);
  overview.set_standbys(options_.description.cluster().standbys());
  const absl::Time now = options_.clock->Now();
  shard_watch_.AddTo(now, &overview);
  for (ShardOverview& shard : *overview.mutable_shards())
    shard.set_standby(views_.StandbyOf(shard.shard(), now));
  return overview;
}

StalenessHistogram Coordinator::Staleness() const {
  absl::MutexLock lock(&mutex_);
  return progress_.staleness();
}

CoordinatorCheckpoint Coordinator::Checkpoint() const {
  absl::MutexLock observer_lock(&observer_mutex_);
  absl::MutexLock lock(&mutex_);
  CoordinatorCheckpoint checkpoint;
  *checkpoint.mutable_description() = options_.description;
  checkpoint.set_run_id(options_.run_id);
  checkpoint.set_run_secret(tokens_.secret());
  if (data_.has_value()) {
    *checkpoint.mutable_data() = *data_;
    *checkpoint.mutable_slices() = slices_->Save();
  }
  views_.Save(&checkpoint);
  *checkpoint.mutable_membership() = membership_.Save(options_.clock->Now());
  progress_.Save(&checkpoint);
  barrier_.Save(&checkpoint);
  checkpoint.set_warm_start_replica(warm_start_replica_);
  return checkpoint;
}

void Coordinator::CheckpointWritten(const CoordinatorCheckpoint& checkpoint) {
  absl::MutexLock lock(&mutex_);
  views_.Written(checkpoint);
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
  RETURN_IF_ERROR(views_.Load(checkpoint, options_.clock->Now()));
  for (const ShardAddress& known : checkpoint.shards()) WatchShard(known, nullptr);
  membership_.Load(checkpoint.membership(), options_.clock->Now());
  RETURN_IF_ERROR(progress_.Load(checkpoint));
  barrier_.Load(checkpoint);
  warm_start_replica_ = checkpoint.warm_start_replica();
  LogInfo("goes on at ", progress_.updates(), " updates with ", membership_.size(), " replicas");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Restore(Options options,
                                                                  const CoordinatorCheckpoint& checkpoint) {
  if (checkpoint.run_id() != options.run_id) {
    return absl::FailedPreconditionError(
        absl::StrCat("checkpoint: run_id is '", checkpoint.run_id(), "', want '", options.run_id, "'"));
  }
  RETURN_IF_ERROR(CheckSameProcessRun(checkpoint.description(), options.description));
  ASSIGN_OR_RETURN(std::unique_ptr<Coordinator> coordinator, Create(std::move(options)));
  RETURN_IF_ERROR(coordinator->Load(checkpoint));
  return coordinator;
}

}  // namespace downpour
