// Where on the data's way: guards the whole way in one simulation: the real coordinator, shards with
// ADADELTA, the real loops of replicas and evaluator; the network is faulty and partitioned, everything
// crashes and comes back from old checkpoints, replicas join and leave, and somebody sets the time of day.
//
// Its oracle does not take a shard's word: it notes which pushes were acknowledged. All gradients are ones,
// so what a key must hold after n pushes is the same for all keys, and is known from a shard without faults.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "common/status_macros.h"
#include "server/shard/shard_start.h"
#include "tests/testing/coordinator_link.h"
#include "tests/testing/faulty_shard_client.h"
#include "tests/testing/pushes_reference.h"
#include "tests/testing/simulated_threads.h"
#include "tests/testing/simulation_seeds.h"
#include "tests/testing/synthetic_data.h"
#include "worker/evaluator/evaluator_loop.h"
#include "worker/replica/replica_loop.h"

namespace downpour {
namespace {

constexpr int kShards = 2;
constexpr int kReplicas = 4;
constexpr int64_t kChunk = 16;
constexpr int kSteps = 800;  // in which something goes wrong, on average a tenth of a second each
constexpr absl::Duration kReplicaTimeout = absl::Seconds(4);
constexpr absl::Duration kSlack = absl::Seconds(2);  // for a call that is under way, and the next death check
constexpr absl::Duration kLongestAway = absl::Seconds(12);  // of a shard, or of the network
constexpr int kMostPushes = 4000;

using PushId = std::tuple<uint64_t, uint64_t, uint64_t>;  // replica, incarnation, sequence
PushId IdOf(const PushHeader& header) { return {header.replica_id, header.incarnation, header.sequence}; }

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed),
        network_(
            seed, {0.01, 0.01, 0.01, 0.01},
            [this](uint32_t shard) {
              threads_.SleepFor(absl::Milliseconds(1));
              return hosts_[shard].shard.get();
            },
            [this](const FaultyNetwork::Message& message, const absl::StatusOr<PushOutcome>& outcome) {
              if (!outcome.ok()) return;
              int64_t& reached = hosts_[message.shard].expected.reached[IdOf(message.header)];
              reached = std::max(reached, message.begin + static_cast<int64_t>(message.gradient.size()));
            }) {
    description_ = SyntheticRun();
    description_.mutable_cluster()->set_replica_timeout_s(absl::ToDoubleSeconds(kReplicaTimeout));
    description_.mutable_budget()->set_updates(2500);
    description_.mutable_evaluation()->set_every_updates(100);
    coordinator_ = *Coordinator::Create(CoordinatorOptions());
    JoinRequest first;  // brings the data summary; there is no shard yet
    *first.mutable_data() = data_->summary;
    EXPECT_TRUE(absl::IsUnavailable(coordinator_->Join(first).status()));
    const auto options = *ShardOptions(description_, "run", data_->summary);
    static const auto* const references = new std::vector<PushesReference>(
        {PushesReference(options[0], kMostPushes), PushesReference(options[1], kMostPushes)});
    references_ = references;
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      hosts_[shard].options = options[shard];
      hosts_[shard].shard =
          *ParameterShard::Create(options[shard], std::vector<float>(options[shard].range.size()));
      Checkpoint(hosts_[shard]);
    }
    RegisterShards();
    coordinator_checkpoint_ = coordinator_->Checkpoint();
  }

  void Run() {
    for (int replica = 0; replica < kReplicas; ++replica) StartReplica();
    threads_.Start([this] { evaluated_ = RunEvaluator(EvaluatorOptions()); });
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      if (threads_.RunUntil(threads_.Now() + random_.Uniform() * absl::Milliseconds(200))) break;
      SomethingHappens();
      Tick();
    }
    coordinator_back_ = threads_.Now();
    for (Host& host : hosts_) host.back = threads_.Now();
    for (const auto& replica : replicas_) replica->cut_until = threads_.Now();
    bool ended = false;
    for (int step = 0; step < 3000 && !ended; ++step) {
      ended = threads_.RunUntil(threads_.Now() + absl::Milliseconds(200));
      network_.DeliverOneDelayed();
      Tick();
    }
    EXPECT_TRUE(ended) << "the run does not end";
    if (!ended) {  // its threads cannot be joined
      std::fflush(nullptr);
      _exit(1);
    }
    EXPECT_EQ(coordinator_->GetRunStatus({})->phase(), RunStatus::FINISHED);
    EXPECT_EQ(evaluated_, absl::OkStatus());
    for (const auto& replica : replicas_) EXPECT_TRUE(replica->killed || replica->end.ok()) << replica->end;
    while (network_.DeliverOneDelayed()) {
    }
    for (const Host& host : hosts_) Check(host);
  }

  int64_t acknowledged() const { return acknowledged_; }

 private:
  struct Expected {
    std::map<PushId, int64_t> reached;  // pushes that have come to this shard, and up to which key
    std::set<PushId> acknowledged;
  };
  struct Host {
    ParameterShard::Options options;
    std::shared_ptr<ParameterShard> shard;  // null: down
    absl::Time back;                        // when it comes back
    ShardSnapshot checkpoint;
    Expected expected, checkpointed;
  };
  struct Replica {
    bool killed = false, leaves = false, ended = false;
    absl::Status end;
    uint64_t id = 0, incarnation = 0;  // as it was told last
    bool joined = false;
    absl::Time cut_until;      // before, it reaches nobody
    absl::Time reached_since;  // since when it was neither cut nor the coordinator away
    absl::Time killed_at;
  };

  class Link;
  class ShardLink;

  Coordinator::Options CoordinatorOptions() { return {description_, "run", &threads_, &threads_, nullptr}; }
  absl::Duration Latency() { return random_.Uniform() * absl::Milliseconds(30); }
  bool Cut(const Replica* replica) { return replica != nullptr && threads_.Now() < replica->cut_until; }

  void StartReplica();
  EvaluatorLoopOptions EvaluatorOptions();
  ShardConnector Connector(Replica* replica);

  void RegisterShards() {
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      RegisterShardRequest request;
      request.set_shard(shard);
      request.set_address(std::string(1, static_cast<char>('a' + shard)));
      if (coordinator_ != nullptr && hosts_[shard].shard != nullptr) {
        EXPECT_TRUE(coordinator_->RegisterShard(request).ok());
      }
    }
  }

  void SomethingHappens() {
    const double what = random_.Uniform();
    Host& host = hosts_[random_.Below(kShards)];
    Replica& replica = *replicas_[random_.Below(replicas_.size())];
    if (what < 0.02) {
      CrashShard(host);
    } else if (what < 0.12) {
      Checkpoint(host);
    } else if (what < 0.40) {
      network_.DeliverOneDelayed();
    } else if (what < 0.42) {
      if (!replica.killed && !replica.ended) StartReplica();
      replica.killed = true;
      replica.killed_at = threads_.Now();
    } else if (what < 0.43) {
      if (!replica.killed && !replica.ended && !replica.leaves) StartReplica();
      replica.leaves = true;
    } else if (what < 0.46) {
      replica.cut_until = threads_.Now() + random_.Uniform() * kLongestAway;
    } else if (what < 0.49) {
      threads_.JumpWall((random_.Uniform() - 0.5) * absl::Hours(4));
    } else if (what < 0.60) {
      if (coordinator_ != nullptr) coordinator_checkpoint_ = coordinator_->Checkpoint();
    } else if (what < 0.61) {
      coordinator_.reset();
      coordinator_back_ = threads_.Now() + random_.Uniform() * kReplicaTimeout;
    }
  }

  // What the programs do by themselves now and then; then the oracle looks at everything.
  void Tick() {
    const absl::Time now = threads_.Now();
    if (coordinator_ == nullptr && now >= coordinator_back_) {
      // As RunFolder::Open() does it.
      SkipLostIncarnations(coordinator_checkpoint_.mutable_membership());
      auto restored = Coordinator::Restore(CoordinatorOptions(), coordinator_checkpoint_);
      ASSERT_TRUE(restored.ok()) << restored.status();
      coordinator_ = *std::move(restored);
      restored_at_ = now;
    }
    for (Host& host : hosts_) {
      if (host.shard == nullptr && now >= host.back) {
        auto restored = ParameterShard::Restore(host.options, host.checkpoint);
        ASSERT_TRUE(restored.ok()) << restored.status();
        host.shard = *std::move(restored);
      }
      Check(host);
    }
    for (const auto& replica : replicas_) {
      if (coordinator_ == nullptr || Cut(replica.get())) replica->reached_since = now;
    }
    if (coordinator_ == nullptr) return;
    RegisterShards();
    coordinator_->RemoveDeadReplicas();
    std::set<std::pair<uint64_t, uint64_t>> members;
    const MembershipState membership = coordinator_->Checkpoint().membership();
    for (const auto& member : membership.replicas())
      members.emplace(member.replica_id(), member.incarnation());
    for (const auto& replica : replicas_) {
      if (!replica->joined) continue;
      const bool member = members.contains({replica->id, replica->incarnation});
      if (replica->killed) {
        const absl::Duration silent = now - std::max(replica->killed_at, restored_at_);
        EXPECT_FALSE(member && silent > kReplicaTimeout + kSlack) << "the dead live on";
      } else if (now - std::max(replica->reached_since, restored_at_) > kReplicaTimeout + kSlack) {
        EXPECT_TRUE(member || replica->leaves) << "replica " << replica->id << " was taken for dead";
      }
    }
  }

  void Checkpoint(Host& host) {
    if (host.shard == nullptr) return;
    host.checkpoint = host.shard->Snapshot();
    host.checkpointed = host.expected;
  }

  // A crash loses everything after the last checkpoint.
  void CrashShard(Host& host) {
    host.shard.reset();
    host.back = threads_.Now() + random_.Uniform() * kLongestAway;
    host.expected = host.checkpointed;
  }

  // Each key must hold the sum of all acknowledged pushes, each once, and of none that has not come to it.
  void Check(const Host& host) const {
    if (host.shard == nullptr || ::testing::Test::HasFailure()) return;
    const PushesReference& reference = (*references_)[&host - hosts_];
    const ShardSnapshot now = host.shard->Snapshot();
    const auto acknowledged = static_cast<int64_t>(host.expected.acknowledged.size());
    std::vector<int64_t> reached(host.options.range.size());  // by how many pushes each element was reached
    for (const auto& [id, end] : host.expected.reached) ++reached[end - host.options.range.begin - 1];
    for (size_t i = reached.size() - 1; i > 0; --i) reached[i - 1] += reached[i];
    for (int64_t i = 0; i < host.options.range.size(); ++i) {
      const int64_t pushes = reference.PushesThatMade(now, i);
      ASSERT_GE(pushes, 0) << "no number of whole pushes gives element " << i << " = " << now.parameters[i];
      ASSERT_GE(pushes, acknowledged) << "element " << i << " has lost an acknowledged push";
      ASSERT_LE(pushes, reached[i]) << "element " << i << " has a push twice, or one that never came";
    }
  }

  Random random_;
  RunDescription description_;
  const std::shared_ptr<const RunData> data_ = SyntheticRunData();
  const std::vector<PushesReference>* references_ = nullptr;
  SimulatedThreads threads_;
  FaultyNetwork network_;
  Host hosts_[kShards];
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<std::unique_ptr<Link>> links_;
  std::unique_ptr<Coordinator> coordinator_;  // null: down
  CoordinatorCheckpoint coordinator_checkpoint_;
  absl::Time coordinator_back_, restored_at_;
  absl::Status evaluated_;
  int64_t acknowledged_ = 0;
};

// A replica's, or without one the evaluator's, way to the coordinator.
class Simulation::Link final : public CoordinatorLink<Simulation::Link> {
 public:
  Link(Simulation* simulation, Replica* replica) : simulation_(simulation), replica_(replica) {}

  absl::StatusOr<JoinReply> Join(const JoinRequest& request) override {
    const absl::StatusOr<JoinReply> reply = CoordinatorLink::Join(request);
    if (reply.ok() && !request.evaluator()) {
      replica_->id = reply->replica_id();
      replica_->incarnation = reply->incarnation();
      replica_->joined = true;
      replica_->reached_since = simulation_->threads_.Now();
    }
    return reply;
  }
  absl::StatusOr<ReportReply> Report(const ReportRequest& request) override {
    const absl::StatusOr<ReportReply> reply = CoordinatorLink::Report(request);
    if (absl::IsNotFound(reply.status())) replica_->joined = false;
    return reply;
  }
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request) override {
    if (!replica_->killed) replica_->joined = false;
    return CoordinatorLink::Leave(request);
  }

  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(absl::StatusOr<Reply> (Coordinator::*method)(const Request&),
                             const Request& request) {
    simulation_->threads_.SleepFor(simulation_->Latency());
    if (replica_ != nullptr && replica_->killed) return absl::CancelledError("killed");
    if (simulation_->Cut(replica_) || simulation_->coordinator_ == nullptr)
      return absl::UnavailableError("nobody answers");
    absl::StatusOr<Reply> reply = (*simulation_->coordinator_.*method)(request);
    const bool lost = simulation_->random_.Uniform() < 0.01;
    simulation_->threads_.SleepFor(simulation_->Latency());
    if (replica_ != nullptr && replica_->killed) return absl::CancelledError("killed");
    if (lost) return absl::UnavailableError("the reply is lost");
    return reply;
  }

 private:
  Simulation* const simulation_;
  Replica* const replica_;
};

// A replica's, or without one the evaluator's, way to one shard. It sends ones in place of the gradient.
class Simulation::ShardLink final : public ShardClient {
 public:
  ShardLink(Simulation* simulation, Replica* replica, uint32_t shard, KeyRange range)
      : simulation_(simulation),
        replica_(replica),
        shard_(shard),
        client_(&simulation->network_, shard, range, kChunk) {}

  KeyRange range() const override { return client_.range(); }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, TensorView) override {
    RETURN_IF_ERROR(Travel());
    absl::StatusOr<PushOutcome> outcome =
        client_.Push(header, std::vector<float>(client_.range().size(), 1.0f));
    if (outcome.ok()) {
      simulation_->hosts_[shard_].expected.acknowledged.insert(IdOf(header));
      ++simulation_->acknowledged_;
    }
    // The gap that a lost chunk leaves looks like another shard's answer, which this link cannot give.
    if (absl::IsOutOfRange(outcome.status())) return absl::UnavailableError(outcome.status().message());
    return outcome;
  }
  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override {
    RETURN_IF_ERROR(Travel());
    return client_.Fetch(parameters);
  }

 private:
  absl::Status Travel() {
    simulation_->threads_.SleepFor(simulation_->Latency());
    if (replica_ != nullptr && replica_->killed) return absl::CancelledError("killed");
    return simulation_->Cut(replica_) ? absl::UnavailableError("cut") : absl::OkStatus();
  }

  Simulation* const simulation_;
  Replica* const replica_;
  const uint32_t shard_;
  FaultyShardClient client_;
};

ShardConnector Simulation::Connector(Replica* replica) {
  return [this, replica](const ShardAddress& address, const KeyRange& range, const RunKey&,
                         const ClusterDescription&) {
    return std::make_unique<ShardLink>(this, replica, address.shard(), range);
  };
}

void Simulation::StartReplica() {
  Replica* const replica = replicas_.emplace_back(std::make_unique<Replica>()).get();
  replica->reached_since = threads_.Now();
  ReplicaLoopOptions options;
  options.coordinator = links_.emplace_back(std::make_unique<Link>(this, replica)).get();
  options.connect_shard = Connector(replica);
  options.data = data_->train;
  options.data_summary = data_->summary;
  options.parallel_shards = false;
  options.clock = &threads_;
  options.jitter_seed = replicas_.size();
  options.stopped = [replica] { return replica->leaves || replica->killed; };
  threads_.Start([replica, options] {
    replica->end = RunReplica(options);
    replica->ended = true;
  });
}

EvaluatorLoopOptions Simulation::EvaluatorOptions() {
  EvaluatorLoopOptions options;
  options.coordinator = links_.emplace_back(std::make_unique<Link>(this, nullptr)).get();
  options.connect_shard = Connector(nullptr);
  options.data = data_.get();
  options.clock = &threads_;
  return options;
}

TEST(WholeClusterTest, NoAcknowledgedPushIsLostOrTwiceAndOnlyTheDeadAreTakenForDead) {
  for (const uint64_t seed : SimulationSeeds(15, 10)) {
    SCOPED_TRACE(HowToReplay(seed));
    Simulation simulation(seed);
    simulation.Run();
    EXPECT_GT(simulation.acknowledged(), 500) << "the simulation hardly gets a push through";
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace downpour
