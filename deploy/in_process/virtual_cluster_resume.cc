// Where on the data's way: all of a virtual cluster between two events; makes a snapshot of it, and a cluster
// of a snapshot.
#include "absl/strings/str_cat.h"
#include "common/program/run_description_rules.h"
#include "common/status_macros.h"
#include "deploy/in_process/virtual_cluster.h"
#include "server/storage/checkpoint_file.h"

namespace downpour {
namespace {

using Event = VirtualClusterCheckpoint::Event;

}  // namespace

absl::Status VirtualCluster::Resume(const VirtualClusterSnapshot& checkpoint) {
  const VirtualClusterCheckpoint& header = checkpoint.header;
  const RunDescription& description = options_.description;
  const DataSummary& data = options_.data->summary;
  clock_.Set(header.now_ns());
  RETURN_IF_ERROR(CheckSameRun(header.coordinator().description(), description));
  ASSIGN_OR_RETURN(coordinator_, Coordinator::Restore(CoordinatorOptions(), header.coordinator()));
  ASSIGN_OR_RETURN(shards_, MakeShards(description, options_.run_id, data, &checkpoint.shards));
  RETURN_IF_ERROR(RegisterShards(description.cluster().shards(), data, *coordinator_).status());
  if (header.replicas_size() != description.cluster().replicas()) {
    return absl::FailedPreconditionError(absl::StrCat("the checkpoint has ", header.replicas_size(),
                                                      " replicas, cluster.replicas is ",
                                                      description.cluster().replicas()));
  }
  RETURN_IF_ERROR(CheckCoherent(checkpoint));
  for (int index = 0; index < header.replicas_size(); ++index) {
    const VirtualClusterCheckpoint::Replica& saved = header.replicas(index);
    replicas_.push_back({NewModel(0, 0), ReplicaTimes(saved.random(), saved.speed())});
    Replica& replica = replicas_.back();
    const absl::string_view parameters = checkpoint.replicas[index].parameters;
    if (!parameters.empty() || saved.model().fetched_versions_size() > 0)
      RETURN_IF_ERROR(ParametersOf(&replica).Load(parameters));
    const absl::string_view gradient = checkpoint.replicas[index].gradient;
    const auto bfloats = ToElements<uint16_t>(saved.rounded_gradient() ? gradient : "");
    const auto floats = ToElements<float>(saved.rounded_gradient() ? "" : gradient);
    RETURN_IF_ERROR(replica.model->LoadState(saved.model(),
                                             bfloats.empty() ? TensorView(floats) : TensorView(bfloats),
                                             ToElements<float>(checkpoint.replicas[index].residual)));
    replica.transfers_left = saved.transfers_left();
    replica.answers.assign(saved.answers().begin(), saved.answers().end());
    replica.answers.resize(shards_.size());
    replica.push_rejected = saved.push_rejected();
    replica.late_shards = saved.late_shards();
    replica.waiting = saved.waiting();
    replica.computed =
        absl::Status(static_cast<absl::StatusCode>(saved.computed()), "computed before the checkpoint");
  }
  link_free_ns_.assign(header.link_free_ns().begin(), header.link_free_ns().end());
  events_.Load(header);
  for (const Event& event : header.events()) {
    if (event.kind() == Event::COMPUTED && !header.replicas(event.replica()).has_computed()) {
      replicas_[event.replica()].in_pool = true;
      pool_->Submit(static_cast<int>(event.replica()), event.time_ns());
    }
  }
  return absl::OkStatus();
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): it loses sight of the models in the vector

VirtualClusterSnapshot VirtualCluster::Snapshot() {
  VirtualClusterSnapshot snapshot;
  *snapshot.header.mutable_coordinator() = coordinator_->Checkpoint();
  snapshot.header.set_now_ns(clock_.now_ns());
  snapshot.header.set_finished(finished_);
  events_.Save(&snapshot.header);
  snapshot.header.mutable_link_free_ns()->Add(link_free_ns_.begin(), link_free_ns_.end());
  for (const auto& shard : shards_) snapshot.shards.push_back(shard->Snapshot());
  for (size_t index = 0; index < replicas_.size(); ++index) {
    const Replica& replica = replicas_[index];
    VirtualClusterCheckpoint::Replica* const saved = snapshot.header.add_replicas();
    *saved->mutable_model() = replica.model->SaveState();
    saved->set_random(replica.times.random());
    saved->set_speed(replica.times.speed());
    saved->set_transfers_left(replica.transfers_left);
    saved->mutable_answers()->Add(replica.answers.begin(), replica.answers.end());
    saved->set_push_rejected(replica.push_rejected);
    saved->set_late_shards(replica.late_shards);
    saved->set_waiting(replica.waiting);
    if (!replica.in_pool || pool_->done(static_cast<int>(index)))
      saved->set_computed(replica.computed.raw_code());
    const TensorView gradient = replica.model->gradient();
    saved->set_rounded_gradient(!gradient.bfloats().empty());
    saved->set_has_residual(!replica.model->residual().empty());
    snapshot.replicas.push_back({replica.parameters ? replica.parameters->view().bytes() : "",
                                 gradient.bytes(), TensorView(replica.model->residual()).bytes()});
  }
  return snapshot;
}

}  // namespace downpour
