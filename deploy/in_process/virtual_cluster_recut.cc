// Where on the data's way: a virtual cluster at rest; lets pushes arrive, then cuts and counts anew.
#include "deploy/in_process/virtual_cluster_recut.h"

#include <algorithm>
#include <map>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/program/update_rules.h"
#include "common/status_macros.h"
#include "deploy/in_process/in_process_clients.h"
#include "deploy/in_process/in_process_shards.h"
#include "server/shard/recut.h"
#include "server/storage/checkpoint_file.h"
#include "worker/replica/gradient_compressor.h"

namespace downpour {
namespace {

using Event = VirtualClusterCheckpoint::Event;

bool Before(const Event& a, const Event& b) {
  return std::pair(a.time_ns(), a.number()) < std::pair(b.time_ns(), b.number());
}

// A vector of all parameters, as floats or bfloat16, with memory of its own for any alignment.
class Elements {
 public:
  Elements(absl::string_view bytes, bool bfloat16)
      : floats_(ToElements<float>(bfloat16 ? "" : bytes)),
        bfloats_(ToElements<uint16_t>(bfloat16 ? bytes : "")) {}
  TensorView view() const { return bfloats_.empty() ? TensorView(floats_) : TensorView(bfloats_); }

 private:
  std::vector<float> floats_;
  std::vector<uint16_t> bfloats_;
};

// Applies the push of event `event` to the shard that it is about to reach, as VirtualCluster::Pushed().
absl::Status Arrive(const Event& event, const VirtualClusterSnapshot& snapshot, const InProcessShards& shards,
                    VirtualClusterCheckpoint::Replica* replica) {
  const RunDescription& description = snapshot.header.coordinator().description();
  const VirtualClusterSnapshot::Replica& vectors = snapshot.replicas[event.replica()];
  const ReplicaState& model = replica->model();
  const Elements gradient(vectors.gradient, replica->rounded_gradient());
  const bool compensated = description.optimizer().compensation() != OptimizerDescription::NONE;
  const Elements fetched(compensated ? vectors.parameters : "", TravelsInBfloat16(description.cluster()));
  const int64_t elements = shards.back()->range().end;
  const int64_t pushed = PlanesOfPush(description.optimizer(), model.step() - 1) * elements;
  if (static_cast<int64_t>(gradient.view().size()) != pushed ||
      (compensated && static_cast<int64_t>(fetched.view().size()) != elements)) {
    return absl::DataLossError(absl::StrCat("replica ", model.totals().replica_id(), " pushes ",
                                            gradient.view().size(), " gradient elements, want ", pushed));
  }
  ParameterShard* const shard = shards[event.shard()].get();
  const KeyRange range = shard->range();
  PushPlanes planes(gradient.view()[range]);
  for (int64_t begin = elements; begin < pushed; begin += elements)
    planes.Add(gradient.view()[{begin + range.begin, begin + range.end}]);
  const PushHeader header{model.totals().replica_id(), model.totals().incarnation(), model.sequence(),
                          model.fetched_versions(static_cast<int>(event.shard()))};
  const absl::StatusOr<PushOutcome> outcome =
      InProcessShardClient(shard, shard->run())
          .Push(header, planes, compensated ? fetched.view()[range] : TensorView());
  if (outcome.ok()) {
    replica->set_answers(static_cast<int>(event.shard()), outcome->staleness);
    if (outcome->late) replica->set_late_shards(replica->late_shards() + 1);
  } else if (absl::IsInvalidArgument(outcome.status())) {
    replica->set_push_rejected(true);
  } else {
    return outcome.status();
  }
  return absl::OkStatus();
}

// Lets all pushes that are under way arrive. Their replicas then wait for the acknowledgement; those that
// were fetching report once more, after which they fetch from the new shards.
absl::Status EndTransfers(const InProcessShards& shards, VirtualClusterSnapshot* snapshot) {
  VirtualClusterCheckpoint& header = snapshot->header;
  std::vector<Event> events(header.events().begin(), header.events().end());
  absl::c_sort(events, Before);
  header.clear_events();
  for (auto& replica : *header.mutable_replicas())
    replica.mutable_answers()->Resize(static_cast<int>(shards.size()), 0);
  std::map<uint32_t, Event> ended;  // by replica
  for (Event& event : events) {
    VirtualClusterCheckpoint::Replica* const replica =
        header.mutable_replicas(static_cast<int>(event.replica()));
    if (event.kind() == Event::PUSHED) {
      RETURN_IF_ERROR(Arrive(event, *snapshot, shards, replica));
      event.set_kind(Event::ACKNOWLEDGED);
    } else if (event.kind() == Event::FETCHED) {
      event.set_kind(Event::REPORT);
    } else {
      *header.add_events() = event;
      continue;
    }
    event.set_shard(0);
    replica->set_transfers_left(0);
    ended[event.replica()] = event;  // the last
  }
  for (const auto& [replica, event] : ended) *header.add_events() = event;
  return absl::OkStatus();
}

// Staleness is the distance to a shard's version. A replica's fetch keeps the largest that it had to the old
// shards, and its push the mean of those that they gave.
void CountAnew(const std::vector<ShardSnapshot>& old, const std::vector<ShardSnapshot>& cut,
               VirtualClusterCheckpoint::Replica* replica) {
  const auto fetched = replica->model().fetched_versions();
  if (fetched.size() == static_cast<int>(old.size())) {
    replica->mutable_model()->clear_fetched_versions();
    for (const ShardSnapshot& shard : cut) {
      uint64_t staleness = 0;
      for (size_t i = 0; i < old.size(); ++i) {
        const ShardCheckpoint& part = old[i].header;
        const bool overlaps = part.begin() < shard.header.end() && shard.header.begin() < part.end();
        const uint64_t version = std::max(part.version(), fetched[static_cast<int>(i)]);
        if (overlaps) staleness = std::max(staleness, version - fetched[static_cast<int>(i)]);
      }
      const uint64_t version = shard.header.version();
      replica->mutable_model()->add_fetched_versions(version - std::min(version, staleness));
    }
  }
  uint64_t sum = 0;
  for (const uint64_t answer : replica->answers()) sum += answer;
  const uint64_t mean = (sum + old.size() / 2) / old.size();
  const bool all_late = replica->late_shards() == static_cast<int>(old.size());
  replica->mutable_answers()->Resize(0, 0);
  replica->mutable_answers()->Resize(static_cast<int>(cut.size()), mean);
  replica->set_late_shards(all_late ? static_cast<int>(cut.size()) : 0);
}

}  // namespace

absl::StatusOr<VirtualClusterSnapshot> RecutVirtualCluster(VirtualClusterSnapshot snapshot, int shards) {
  VirtualClusterCheckpoint& header = snapshot.header;
  CoordinatorCheckpoint& coordinator = *header.mutable_coordinator();
  if (static_cast<int>(snapshot.shards.size()) == shards) return snapshot;
  RETURN_IF_ERROR(CheckCoherent(snapshot));
  ASSIGN_OR_RETURN(
      const InProcessShards old_shards,
      MakeShards(coordinator.description(), coordinator.run_id(), coordinator.data(), &snapshot.shards));
  RETURN_IF_ERROR(EndTransfers(old_shards, &snapshot));
  std::vector<ShardSnapshot> old;
  for (const auto& shard : old_shards) old.push_back(shard->Snapshot());
  ASSIGN_OR_RETURN(snapshot.shards, Recut(old, shards));
  for (auto& replica : *header.mutable_replicas()) CountAnew(old, snapshot.shards, &replica);
  header.mutable_link_free_ns()->Resize(0, 0);
  header.mutable_link_free_ns()->Resize(2 * shards, header.now_ns());
  coordinator.mutable_description()->mutable_cluster()->set_shards(shards);
  coordinator.clear_shards();
  return snapshot;
}

}  // namespace downpour
