// Where on the data's way: between the virtual cluster and its checkpoint: taking one, and going on from one.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/program/run_description_rules.h"
#include "common/status_macros.h"
#include "deploy/in_process/virtual_cluster.h"
#include "server/storage/checkpoint_file.h"
#include "spdlog/spdlog.h"

namespace downpour {

using Event = VirtualClusterCheckpoint::Event;

namespace {

// What is copied, so that the run goes on while it is written; more is written while the run waits.
constexpr size_t kMostCopiedBytes = size_t{1} << 30;

// Gives the snapshot storage of its own; false, and nothing done, where that would take more than kMostCopiedBytes.
bool CopyReplicas(VirtualClusterSnapshot* snapshot) {
  size_t size = 0;
  for (const auto& replica : snapshot->replicas)
    size += replica.parameters.size() + replica.gradient.size() + replica.residual.size();
  if (size > kMostCopiedBytes) return false;
  auto storage = std::make_shared<std::string>();
  storage->reserve(size);
  for (auto& replica : snapshot->replicas) {
    for (absl::string_view* part : {&replica.parameters, &replica.gradient, &replica.residual}) {
      const size_t begin = storage->size();
      storage->append(part->data(), part->size());
      *part = {storage->data() + begin, part->size()};
    }
  }
  snapshot->storage = std::move(storage);
  return true;
}

void LogFailure(const absl::Status& status) {
  if (!status.ok())
    spdlog::warn("no checkpoint this time, the last good one stays: {}", std::string(status.message()));
}

}  // namespace

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
    if (!replica.in_pool || pool_->done(static_cast<int>(index)))
      saved->set_computed(replica.computed.raw_code());
    const TensorView gradient = replica.model->gradient();
    saved->set_rounded_gradient(!gradient.bfloats().empty());
    saved->set_has_residual(!replica.model->residual().empty());
    snapshot.replicas.push_back(
        {replica.parameters.view().bytes(), gradient.bytes(), TensorView(replica.model->residual()).bytes()});
  }
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
    Replica& replica = replicas_.emplace_back(
        Replica{NewModel(0, 0), ReplicaTimes(saved.random(), saved.speed()), NewSnapshot()});
    RETURN_IF_ERROR(replica.parameters.Load(checkpoint.replicas[index].parameters));
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
    replica.computed =
        absl::Status(static_cast<absl::StatusCode>(saved.computed()), "computed before the checkpoint");
  }
  if (header.link_free_ns_size() != static_cast<int>(link_free_ns_.size())) {
    return absl::DataLossError(absl::StrCat("the checkpoint has ", header.link_free_ns_size(),
                                            " times of shards' links, want ", link_free_ns_.size()));
  }
  link_free_ns_.assign(header.link_free_ns().begin(), header.link_free_ns().end());
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
  pool_->Pause();
  VirtualClusterSnapshot snapshot = Snapshot();
  if (!CopyReplicas(&snapshot)) {
    LogFailure(WriteCheckpoint(snapshot));
    pool_->Resume();
    return;
  }
  pool_->Resume();
  // Moved on, so that the copy of all replicas goes as soon as it is written.
  checkpoint_writing_ = std::async(std::launch::async, [this, snapshot = std::move(snapshot)]() mutable {
    return WriteCheckpoint(std::exchange(snapshot, {}));
  });
}

void VirtualCluster::AwaitCheckpoint() {
  if (checkpoint_writing_.valid()) LogFailure(checkpoint_writing_.get());
}

absl::Status VirtualCluster::WriteCheckpoint(const VirtualClusterSnapshot& snapshot) const {
  RETURN_IF_ERROR(options_.before_checkpoint());
  return WriteVirtualCluster(options_.checkpoint_path, snapshot);
}

absl::Status VirtualCluster::WriteLastCheckpoint() {
  if (options_.checkpoint_path.empty()) return absl::OkStatus();
  AwaitCheckpoint();
  pool_->Pause();
  absl::Status written = WriteCheckpoint(Snapshot());
  pool_->Resume();
  return written;
}

}  // namespace downpour
