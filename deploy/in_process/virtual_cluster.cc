// Where on the data's way: each event does one step of a replica and schedules its next event.
#include "deploy/in_process/virtual_cluster.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/program/logging.h"
#include "common/program/update_rules.h"
#include "common/status_macros.h"
#include "deploy/in_process/in_process_clients.h"
#include "server/coordinator/coordinator_metrics.h"

namespace downpour {
namespace {

using Event = VirtualClusterCheckpoint::Event;
using PushAction = ModelReplica::PushAction;

constexpr int kAheadPerThread = 4;                  // gradients computed ahead of virtual time
constexpr double kShortestReportIntervalS = 0.001;  // virtual; for a replica that has to wait
constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

}  // namespace

VirtualCluster::VirtualCluster(Options options)
    : options_(std::move(options)),
      times_(options_.description.virtual_clock()),
      link_free_ns_(2 * static_cast<size_t>(options_.description.cluster().shards())),
      checkpointer_(options_.checkpoint_path, options_.before_checkpoint, options_.after_checkpoint) {}

absl::StatusOr<std::unique_ptr<VirtualCluster>> VirtualCluster::Create(
    Options options, const VirtualClusterSnapshot* checkpoint) {
  std::unique_ptr<VirtualCluster> cluster(new VirtualCluster(std::move(options)));
  RETURN_IF_ERROR(cluster->CreateComputation());
  RETURN_IF_ERROR(checkpoint == nullptr ? cluster->Begin() : cluster->Resume(*checkpoint));
  return cluster;
}

absl::Status VirtualCluster::CreateComputation() {
  const RunDescription& description = options_.description;
  const DataSummary& data = options_.data->summary;
  std::vector<std::unique_ptr<Network>> networks;
  for (int i = 0; i < options_.threads; ++i) {
    ASSIGN_OR_RETURN(networks.emplace_back(),
                     Network::Create({.network = description.network(),
                                      .input_dim = data.input_dim(),
                                      .classes = data.classes(),
                                      .max_frames = description.cluster().minibatch()}));
  }
  elements_ = networks[0]->layout().size();
  const int64_t in_planes = kUpdateRules[description.optimizer().kind()].planes * elements_;
  gradients_ = std::make_unique<GradientPool>(in_planes);
  if (PushesInBfloat16(description.cluster()))
    rounded_gradients_ = std::make_unique<RoundedGradientPool>(in_planes);
  pool_ = std::make_unique<ComputePool>(
      std::move(networks), description.cluster().replicas(), kAheadPerThread * options_.threads,
      [this](int index, Network& network) {
        Replica& replica = replicas_[index];
        replica.computed = replica.model->ComputeGradient(ParametersOf(&replica).view(), network);
      });
  ASSIGN_OR_RETURN(evaluator_, ClusterEvaluator::Create(description, *options_.data, options_.threads));
  return absl::OkStatus();
}

ParameterSnapshot& VirtualCluster::ParametersOf(Replica* replica) const {
  if (!replica->parameters)
    replica->parameters.emplace(elements_, TravelsInBfloat16(options_.description.cluster()));
  return *replica->parameters;
}

std::unique_ptr<ModelReplica> VirtualCluster::NewModel(uint64_t replica_id, uint64_t incarnation) {
  const ClusterDescription& cluster = options_.description.cluster();
  return std::make_unique<ModelReplica>(
      ModelReplica::Options{replica_id, incarnation, cluster, cluster.shards(),
                            options_.data->summary.classes(), options_.description.seed(),
                            options_.description.noise(), options_.description.optimizer()},
      elements_, MinibatchSource(options_.data->train, cluster.minibatch(), options_.description.seed()),
      gradients_.get(), rounded_gradients_.get());
}

Coordinator::Options VirtualCluster::CoordinatorOptions() {
  return {options_.description, options_.run_id, &clock_, options_.wall_clock, options_.observer};
}

absl::Status VirtualCluster::Begin() {
  const RunDescription& description = options_.description;
  const DataSummary& data = options_.data->summary;
  ASSIGN_OR_RETURN(coordinator_, Coordinator::Create(CoordinatorOptions()));
  ASSIGN_OR_RETURN(shards_, MakeShards(description, options_.run_id, data, nullptr));
  RETURN_IF_ERROR(RegisterShards(description.cluster().shards(), data, *coordinator_).status());
  for (int index = 0; index < description.cluster().replicas(); ++index) {
    JoinRequest join;
    join.set_host("virtual cluster");
    *join.mutable_data() = data;
    ASSIGN_OR_RETURN(const JoinReply reply, coordinator_->Join(join));
    replicas_.push_back(
        {NewModel(reply.replica_id(), reply.incarnation()), ReplicaTimes(description.seed(), index, times_)});
    events_.Schedule(0, Event::REPORT, index);
  }
  return absl::OkStatus();
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): it loses sight of the models in the vector

absl::Status VirtualCluster::Run() {
  RETURN_IF_ERROR(EvaluateIfDue());
  RETURN_IF_ERROR(TakeSamples());
  const absl::Duration checkpoint_interval = absl::Seconds(options_.description.checkpoint().every_s());
  absl::Time next_progress = absl::InfinitePast();
  absl::Time next_checkpoint = options_.wall_clock->Now() + checkpoint_interval;
  while (!finished_ && !options_.stopped()) {
    const absl::Time now = options_.wall_clock->Now();
    if (now >= next_progress) {
      ASSIGN_OR_RETURN(const RunStatus status, Status());
      options_.progress(status);
      next_progress = now + kProgressInterval;
    }
    if (now >= next_checkpoint) {
      if (checkpointer_.ready()) {
        RETURN_IF_ERROR(TakeSamples());
        pool_->Pause();
        checkpointer_.WriteAside(Snapshot());
        pool_->Resume();
      }
      // Counted from the end of the write, because a large snapshot is written while the run waits.
      next_checkpoint = options_.wall_clock->Now() + checkpoint_interval;
    }
    if (events_.empty()) return absl::DataLossError("every replica waits for another: no event is left");
    RETURN_IF_ERROR(Handle(events_.Pop()));
  }
  RETURN_IF_ERROR(TakeSamples());
  if (checkpointer_.enabled()) {
    pool_->Pause();
    const absl::Status written = checkpointer_.WriteNow(Snapshot());
    pool_->Resume();
    RETURN_IF_ERROR(written);
  }
  return finished_ ? absl::OkStatus() : absl::CancelledError("stopped");
}

absl::Status VirtualCluster::Handle(const EventQueue::Event& event) {
  clock_.Set(event.time_ns);
  switch (event.kind) {
    case Event::REPORT:
      return Report(event.replica);
    case Event::FETCHED:
      return Fetched(event.replica, event.shard);
    case Event::COMPUTED:
      return Computed(event.replica);
    case Event::PUSHED:
      return Pushed(event.replica, event.shard);
    case Event::ACKNOWLEDGED:
      return Acknowledged(event.replica);
    default:
      return absl::DataLossError(absl::StrCat("the checkpoint has an event of unknown kind ", event.kind));
  }
}

absl::Status VirtualCluster::EvaluateIfDue() {
  ASSIGN_OR_RETURN(const NextEvaluationReply::Directive directive,
                   evaluator_->EvaluateIfDue(shards_, *coordinator_));
  finished_ = directive == NextEvaluationReply::STOP;
  return absl::OkStatus();
}

absl::Status VirtualCluster::TakeSamples() {
  return options_.samples == nullptr ? absl::OkStatus() : options_.samples->TakeFrom(shards_);
}

absl::Status VirtualCluster::Report(uint32_t index) {
  ModelReplica& model = *replicas_[index].model;
  const std::optional<uint64_t> pace = coordinator_->Pace();
  ASSIGN_OR_RETURN(const ReportReply reply, coordinator_->Report(model.TakeReport()));
  if (reply.has_slice()) RETURN_IF_ERROR(model.source().AddSlice(reply.slice()));
  // A replica that is told to stop goes on reporting, so that a larger budget makes it take part again.
  if (reply.directive() == ReportReply::CONTINUE) {
    BeginStep(index);
  } else if (reply.directive() == ReportReply::WAIT && pace.has_value()) {
    replicas_[index].waiting = true;
  } else {
    ReportLater(index);
  }
  if (coordinator_->Pace() != pace) WakeWaiting();
  return EvaluateIfDue();
}

void VirtualCluster::WakeWaiting() {
  for (size_t index = 0; index < replicas_.size(); ++index) {
    if (std::exchange(replicas_[index].waiting, false))
      events_.Schedule(clock_.now_ns(), Event::REPORT, static_cast<uint32_t>(index));
  }
}

void VirtualCluster::ReportLater(uint32_t index) {
  const double delay_s = std::max(times_.compute_mean_s(), kShortestReportIntervalS);
  events_.Schedule(After(clock_.now_ns(), absl::Seconds(delay_s)), Event::REPORT, index);
}

void VirtualCluster::BeginStep(uint32_t index) {
  if (replicas_[index].model->FetchDue()) {
    BeginTransfers(index, Event::FETCHED);
  } else {
    BeginCompute(index);
  }
}

void VirtualCluster::BeginTransfers(uint32_t index, EventQueue::Kind arrival, absl::Duration delay) {
  Replica& replica = replicas_[index];
  replica.transfers_left = static_cast<int>(shards_.size());
  replica.answers.assign(shards_.size(), 0);
  replica.push_rejected = false;
  replica.late_shards = 0;
  const ClusterDescription& cluster = options_.description.cluster();
  // Further planes of a push are not compressed.
  const auto elements = static_cast<double>(arrival == Event::PUSHED ? replica.model->gradient().size() : 0);
  const double further_bits =
      FetchedBits(cluster) * std::max(elements / static_cast<double>(elements_) - 1, 0.);
  const double element_bits =
      arrival == Event::PUSHED ? PushedBits(cluster) + further_bits : FetchedBits(cluster);
  const int64_t begin_ns = After(clock_.now_ns(), delay);
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    const int64_t bytes =
        std::llround(static_cast<double>(shards_[shard]->range().size()) * element_bits / 8);
    int64_t end_ns = After(begin_ns, absl::Nanoseconds(replica.times.TransferNs(times_, bytes)));
    if (times_.shard_bytes_per_s() > 0 && delay == absl::ZeroDuration()) {
      int64_t& free_ns = link_free_ns_[2 * shard + (arrival == Event::PUSHED ? 1 : 0)];
      const double seconds = static_cast<double>(bytes) / times_.shard_bytes_per_s();
      free_ns = After(std::max(free_ns, begin_ns), absl::Seconds(seconds));
      end_ns = std::max(end_ns, free_ns);
    }
    events_.Schedule(end_ns, arrival, index, shard);
  }
}

void VirtualCluster::BeginCompute(uint32_t index) {
  Replica& replica = replicas_[index];
  const auto compute_ns = static_cast<double>(replica.times.ComputeNs(times_));
  const int64_t slow_ns = RoundNanoseconds(compute_ns * replica.model->noise().slowness());
  const int64_t done_ns = After(clock_.now_ns(), absl::Nanoseconds(slow_ns));
  events_.Schedule(done_ns, Event::COMPUTED, index);
  replica.in_pool = true;
  pool_->Submit(static_cast<int>(index), done_ns);
}

absl::Status VirtualCluster::Fetched(uint32_t index, uint32_t shard) {
  Replica& replica = replicas_[index];
  replica.answers[shard] = shards_[shard]->version();
  const KeyRange range = shards_[shard]->range();
  RETURN_IF_ERROR(shards_[shard]->Read(range, ParametersOf(&replica).memory()[range]));
  if (--replica.transfers_left > 0) return absl::OkStatus();
  replica.model->FetchDone(replica.answers);
  BeginCompute(index);
  return absl::OkStatus();
}

absl::Status VirtualCluster::Computed(uint32_t index) {
  Replica& replica = replicas_[index];
  if (std::exchange(replica.in_pool, false)) pool_->Finish(static_cast<int>(index));
  if (absl::IsNotFound(replica.computed)) {  // it has no data: ask the coordinator again
    ReportLater(index);
    return absl::OkStatus();
  }
  const bool dropped = absl::IsDataLoss(replica.computed);
  if (!dropped) RETURN_IF_ERROR(replica.computed);
  if (dropped && replica.model->RejectionIsWorthALine()) LogWarning(replica.computed.message());
  const PushAction action = replica.model->NextPushAction();
  if (action.kind == PushAction::PUSH) {
    BeginTransfers(index, Event::PUSHED, action.delay);
  } else if (action.kind == PushAction::DROPPED || dropped || replica.model->source().needs_slice()) {
    return Report(index);
  } else {
    BeginStep(index);
  }
  return absl::OkStatus();
}

absl::Status VirtualCluster::Pushed(uint32_t index, uint32_t shard) {
  Replica& replica = replicas_[index];
  const KeyRange range = shards_[shard]->range();
  InProcessShardClient client(shards_[shard].get(), shards_[shard]->run());
  const bool compensated = options_.description.optimizer().compensation() != OptimizerDescription::NONE;
  const absl::StatusOr<PushOutcome> outcome =
      client.Push(replica.model->NextPush(static_cast<int>(shard)), replica.model->planes(range),
                  compensated ? ParametersOf(&replica).view()[range] : TensorView());
  if (outcome.ok()) {
    replica.answers[shard] = outcome->staleness;
    if (outcome->late) ++replica.late_shards;
  } else if (absl::IsInvalidArgument(outcome.status())) {
    replica.push_rejected = true;  // the shard has logged why
  } else {
    return outcome.status();
  }
  if (--replica.transfers_left > 0) return absl::OkStatus();
  const absl::Duration answer = absl::Nanoseconds(replica.times.TransferNs(times_, 0));
  events_.Schedule(After(clock_.now_ns(), answer), Event::ACKNOWLEDGED, index);
  return absl::OkStatus();
}

absl::Status VirtualCluster::Acknowledged(uint32_t index) {
  Replica& replica = replicas_[index];
  if (replica.push_rejected) {
    replica.model->PushRejected();
  } else {
    replica.model->PushDone(replica.answers, replica.late_shards == static_cast<int>(shards_.size()));
  }
  const PushAction action = replica.model->NextPushAction();
  if (action.kind != PushAction::PUSH) return Report(index);
  BeginTransfers(index, Event::PUSHED, action.delay);
  return absl::OkStatus();
}

void VirtualCluster::AddMetrics(MetricFamilies* families) const {
  AddRunMetrics(*coordinator_->GetOverview({}), coordinator_->Staleness(), options_.wall_clock, families);
}

std::vector<float> VirtualCluster::Parameters() const {
  std::vector<float> parameters(elements_);
  DOWNPOUR_CHECK(ReadParameters(shards_, absl::MakeSpan(parameters)).ok());
  return parameters;
}

}  // namespace downpour
