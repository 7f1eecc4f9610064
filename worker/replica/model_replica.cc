// Where on the data's way: decides which step of a replica is due, and counts what was done.
#include "worker/replica/model_replica.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/program/update_rules.h"
#include "common/status_macros.h"
#include "common/tensor/finite.h"
#include "worker/replica/gradient_sketch.h"

namespace downpour {
namespace {

ReplicaNoise NoiseOf(const ModelReplica::Options& options) {
  return ReplicaNoise(options.noise, options.seed, options.replica_id, options.classes);
}

// DATA_LOSS: no replica can be in this state; for example, each fetches before it computes.
absl::Status CheckCoherent(const ReplicaState& state) {
  const int64_t most_fetched = state.fetched_versions_size() > 0 ? state.step() : -1;
  if (state.step() >= 0 && state.accumulated() >= 0 && state.accumulated() <= state.step() &&
      state.sequence() > 0 && state.fetched_step() >= -1 && state.fetched_step() <= most_fetched &&
      (state.step() == 0 || state.fetched_step() >= 0)) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      "replica ", state.totals().replica_id(), " is at step ", state.step(), " with ", state.accumulated(),
      " gradients accumulated, sequence ", state.sequence(), " and the last of its fetches from ",
      state.fetched_versions_size(), " shards at step ", state.fetched_step(),
      ", want sequences from 1, no more gradients than steps, and a fetch before any step"));
}

}  // namespace

ModelReplica::ModelReplica(const Options& options, int64_t parameters, MinibatchSource source,
                           GradientPool* pool, RoundedGradientPool* rounded_pool)
    : options_(options),
      noise_(NoiseOf(options)),
      source_(std::move(source)),
      gradient_(options.cluster, parameters, pool, rounded_pool) {
  state_.set_replica_id(options.replica_id);
  state_.set_incarnation(options.incarnation);
  state_.set_token(options.token);
}

void ModelReplica::FetchDone(std::vector<uint64_t> versions) {
  DOWNPOUR_CHECK(static_cast<int>(versions.size()) == options_.shards);
  fetched_versions_ = std::move(versions);
  fetched_step_ = step_;
}

absl::Status ModelReplica::ComputeGradient(TensorView parameters, Network& network) {
  DOWNPOUR_CHECK(!fetched_versions_.empty() &&
                 static_cast<int64_t>(parameters.size()) == gradient_.elements());
  source_.Next(&minibatch_);
  if (minibatch_.frames == 0) return absl::NotFoundError("the replica has no training data left");
  noise_.DisturbLabels(step_, absl::MakeSpan(minibatch_.labels));
  absl::StatusOr<Network::Result> result;
  const int planes = PlanesOfPush(options_.optimizer, step_);
  const bool finite = gradient_.Add(noise_.disturbs_gradients(), planes, [&](MutableTensorView all) {
    result = network.ComputeGradient(parameters, minibatch_, all);
    if (!result.ok() || !result->finite) return false;
    if (!noise_.disturbs_gradients()) return true;
    const absl::Span<float> gradient = all.floats().first(gradient_.elements());
    noise_.DisturbGradient(step_, gradient);
    return AllFinite(gradient);
  });
  RETURN_IF_ERROR(result.status());
  ++step_;
  state_.set_minibatches(step_);
  state_.set_frames(state_.frames() + minibatch_.frames);
  if (finite) state_.set_loss_sum(state_.loss_sum() + result->loss_sum);
  if (PushDue()) {
    gradient_.Compress();
    // Replicas sketch different pushes, so that a window of sketches covers many replicas.
    if ((sequence_ + options_.replica_id) % kPushesPerSketch == 0) {
      const std::vector<float> sketch = SketchGradient(gradient_.sum()[{0, gradient_.elements()}]);
      state_.mutable_gradient_sketch()->Assign(sketch.begin(), sketch.end());
    }
    gradient_.Round();
  }
  if (finite) return absl::OkStatus();
  state_.set_pushes_rejected(state_.pushes_rejected() + 1);
  return absl::DataLossError(
      absl::StrCat("minibatch ", step_, " of replica ", options_.replica_id, ": loss ", result->loss_sum,
                   " and a gradient that is not finite everywhere; the minibatch is dropped"));
}

ModelReplica::PushAction ModelReplica::NextPushAction() {
  if (!PushDue()) return {PushAction::NONE};
  if (repeating_) return {PushAction::PUSH};
  if (!noise_.PushDropped(sequence_)) return {PushAction::PUSH, noise_.PushDelay(sequence_)};
  state_.clear_gradient_sketch();
  ClearGradient();
  return {PushAction::DROPPED};
}

PushHeader ModelReplica::NextPush(int shard) const {
  return {options_.replica_id, options_.incarnation, sequence_, fetched_versions_[shard], options_.token};
}

void ModelReplica::PushDone(absl::Span<const uint64_t> staleness, bool late) {
  if (late) {
    state_.set_pushes_late(state_.pushes_late() + 1);
  } else {
    const uint64_t sum = std::accumulate(staleness.begin(), staleness.end(), uint64_t{0});
    state_.set_pushes_applied(state_.pushes_applied() + 1);
    state_.add_staleness((sum + staleness.size() / 2) / staleness.size());
  }
  repeating_ = !repeating_ && noise_.PushRepeated(sequence_);
  if (repeating_) {
    ++sequence_;
  } else {
    ClearGradient();
  }
}

void ModelReplica::PushRejected() {
  state_.set_pushes_rejected(state_.pushes_rejected() + 1);
  ClearGradient();
}

void ModelReplica::ClearGradient() {
  gradient_.Clear();
  repeating_ = false;
  ++sequence_;
}

ReportRequest ModelReplica::TakeReport() {
  state_.set_report(state_.report() + 1);
  ReportRequest report = state_;
  for (DataSlice& slice : source_.TakeFinished()) *report.add_finished() = std::move(slice);
  report.set_wants_slice(source_.needs_slice());
  state_.clear_staleness();
  state_.clear_gradient_sketch();
  return report;
}

ReplicaState ModelReplica::SaveState() const {
  ReplicaState state;
  *state.mutable_totals() = state_;
  state.set_step(step_);
  state.set_fetched_step(fetched_step_);
  state.set_accumulated(gradient_.minibatches());
  state.set_sequence(sequence_);
  state.set_repeating(repeating_);
  state.mutable_fetched_versions()->Add(fetched_versions_.begin(), fetched_versions_.end());
  *state.mutable_source() = source_.Save();
  return state;
}

absl::Status ModelReplica::LoadState(const ReplicaState& state, TensorView gradient,
                                     absl::Span<const float> residual) {
  const uint64_t id = state.totals().replica_id();
  const int planes = PlanesOfPush(options_.optimizer, state.step() - 1);
  const absl::Status loaded = gradient_.Load(state.accumulated(), planes, gradient, residual);
  if (!loaded.ok()) return {loaded.code(), absl::StrCat("replica ", id, " has ", loaded.message())};
  if (state.fetched_versions_size() != 0 && state.fetched_versions_size() != options_.shards) {
    return absl::InvalidArgumentError(absl::StrCat("replica ", id, " has fetched from ",
                                                   state.fetched_versions_size(), " shards, want ",
                                                   options_.shards));
  }
  RETURN_IF_ERROR(CheckCoherent(state));
  RETURN_IF_ERROR(source_.Load(state.source()));
  state_ = state.totals();
  options_.replica_id = state_.replica_id();
  options_.incarnation = state_.incarnation();
  noise_ = NoiseOf(options_);
  step_ = state.step();
  fetched_step_ = state.fetched_step();
  sequence_ = state.sequence();
  repeating_ = state.repeating();
  fetched_versions_.assign(state.fetched_versions().begin(), state.fetched_versions().end());
  if (gradient.is_bfloat16() && !PushDue()) {
    return absl::DataLossError(absl::StrCat("replica ", id, " has a gradient in bfloat16 at step ", step_,
                                            ", where no push is due: want float32, to be added to"));
  }
  return absl::OkStatus();
}

}  // namespace downpour
