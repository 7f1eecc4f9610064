// Where on the data's way: between the virtual cluster and its checkpoint: taking one, and going on from one.
#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/run_description.h"
#include "common/status_macros.h"
#include "deploy/virtual_cluster.h"
#include "spdlog/spdlog.h"

namespace downpour {

using Event = VirtualClusterCheckpoint::Event;

VirtualClusterSnapshot VirtualCluster::Snapshot() {
  pool_->Pause();
  VirtualClusterSnapshot snapshot;
  *snapshot.header.mutable_coordinator() = coordinator_->Checkpoint();
  snapshot.header.set_now_ns(clock_.now_ns());
  snapshot.header.set_finished(finished_);
  events_.Save(&snapshot.header);
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
    if (!replica.in_pool || pool_->done(static_cast<int>(index)))
      saved->set_computed(replica.computed.raw_code());
    const absl::Span<const float> parameters = replica.model->parameters();
    const absl::Span<const float> gradient = replica.model->gradient();
    snapshot.replicas.push_back({{parameters.begin(), parameters.end()}, {gradient.begin(), gradient.end()}});
  }
  pool_->Resume();
  return snapshot;
}

absl::Status VirtualCluster::Resume(const VirtualClusterSnapshot& checkpoint) {
  const VirtualClusterCheckpoint& header = checkpoint.header;
  const RunDescription& description = options_.description;
  const DataSummary& data = options_.data->summary;
  clock_.Set(header.now_ns());
  RETURN_IF_ERROR(CheckSameRun(header.coordinator().description(), description));
  ASSIGN_OR_RETURN(coordinator_, Coordinator::Restore(CoordinatorOptions(), header.coordinator()));
  ASSIGN_OR_RETURN(shards_, RestoreShards(description, options_.run_id, data, checkpoint.shards));
  RETURN_IF_ERROR(RegisterShards(shards_, data, *coordinator_));
  if (header.replicas_size() != description.cluster().replicas()) {
    return absl::FailedPreconditionError(absl::StrCat("the checkpoint has ", header.replicas_size(),
                                                      " replicas, cluster.replicas is ",
                                                      description.cluster().replicas()));
  }
  for (int index = 0; index < header.replicas_size(); ++index) {
    const VirtualClusterCheckpoint::Replica& saved = header.replicas(index);
    Replica& replica =
        replicas_.emplace_back(Replica{NewModel(0, 0), ReplicaTimes(saved.random(), saved.speed())});
    RETURN_IF_ERROR(replica.model->LoadState(saved.model(), checkpoint.replicas[index].parameters,
                                             checkpoint.replicas[index].gradient));
    replica.transfers_left = saved.transfers_left();
    replica.answers.assign(saved.answers().begin(), saved.answers().end());
    replica.answers.resize(shards_.size());
    replica.push_rejected = saved.push_rejected();
    replica.computed =
        absl::Status(static_cast<absl::StatusCode>(saved.computed()), "computed before the checkpoint");
  }
  events_.Load(header);
  for (const Event& event : header.events()) {
    if (event.replica() >= replicas_.size() || event.shard() >= shards_.size()) {
      return absl::DataLossError(absl::StrCat("the checkpoint has an event of replica ", event.replica(),
                                              " and shard ", event.shard(), " in a cluster of ",
                                              replicas_.size(), " and ", shards_.size()));
    }
    if (event.kind() == Event::COMPUTED && !header.replicas(event.replica()).has_computed()) {
      replicas_[event.replica()].in_pool = true;
      pool_->Submit(static_cast<int>(event.replica()), event.time_ns());
    }
  }
  return absl::OkStatus();
}

void VirtualCluster::WriteCheckpointAside() {
  if (options_.checkpoint_path.empty()) return;
  if (checkpoint_writing_.valid() &&
      checkpoint_writing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    return;
  AwaitCheckpoint();
  // Moved on, so that the copy of all replicas goes as soon as it is written.
  checkpoint_writing_ = std::async(std::launch::async, [this, snapshot = Snapshot()]() mutable {
    return WriteCheckpoint(std::move(snapshot));
  });
}

void VirtualCluster::AwaitCheckpoint() {
  if (!checkpoint_writing_.valid()) return;
  const absl::Status status = checkpoint_writing_.get();
  if (!status.ok())
    spdlog::warn("no checkpoint this time, the last good one stays: {}", std::string(status.message()));
}

absl::Status VirtualCluster::WriteCheckpoint(VirtualClusterSnapshot snapshot) const {
  RETURN_IF_ERROR(options_.before_checkpoint());
  return WriteVirtualCluster(options_.checkpoint_path, snapshot);
}

absl::Status VirtualCluster::WriteLastCheckpoint() {
  if (options_.checkpoint_path.empty()) return absl::OkStatus();
  AwaitCheckpoint();
  return WriteCheckpoint(Snapshot());
}

}  // namespace downpour
