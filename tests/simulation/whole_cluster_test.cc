// Where on the data's way: guards the whole way in one simulation: the real coordinator, the real loops of
// servers, replicas and evaluator, shards with several segments and ADADELTA; the network is faulty and
// partitioned, everything crashes and comes back from old, failed or damaged checkpoints, a second server
// claims a shard, replicas join and leave, a hostile peer attacks, and somebody sets the time of day. In every
// second run each shard has a standby.
//
// Its oracle does not take a shard's word: it notes which pushes were acknowledged. All gradients are ones,
// so what a key must hold after n pushes is known from a shard without faults.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/shard/shard_start.h"
#include "tests/testing/faulty_shard_client.h"
#include "tests/testing/hostile_peer.h"
#include "tests/testing/push_oracle.h"
#include "tests/testing/simulated_coordinator.h"
#include "tests/testing/simulated_host.h"
#include "tests/testing/simulated_replica.h"
#include "tests/testing/simulated_threads.h"
#include "tests/testing/simulation_seeds.h"
#include "tests/testing/standby_oracle.h"
#include "tests/testing/synthetic_data.h"
#include "worker/evaluator/evaluator_loop.h"
#include "worker/replica/replica_loop.h"

namespace downpour {
namespace {

constexpr int kShards = 2, kReplicas = 4;
constexpr int64_t kSegment = 24;  // elements
constexpr int64_t kChunk = 16;    // likewise, of a replica whose push comes in chunks
constexpr int64_t kPiece = 64;    // likewise, of one whose push is applied by segments
constexpr int kSteps = 800;       // in which something goes wrong, on average a tenth of a second each
constexpr absl::Duration kReplicaTimeout = absl::Seconds(4);
constexpr absl::Duration kSlack = absl::Seconds(2);  // for a call that is under way, and the next death check
constexpr absl::Duration kLongestAway = absl::Seconds(12);  // of a server, or of the network
constexpr size_t kMostHosts = 6;
constexpr int kMostPushes = 4000;

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed),
        network_(
            seed, {0.01, 0.01, 0.01, 0.01},
            [this](uint32_t host) {
              threads_.SleepFor(absl::Milliseconds(1));
              return hosts_[host]->serving();
            },
            [this](const FaultyNetwork::Message& message, const absl::StatusOr<PushOutcome>& outcome) {
              const auto end = message.begin + static_cast<int64_t>(message.gradient.size());
              if (outcome.ok()) hosts_[message.shard]->process().Arrive(IdOf(message.header), end);
            }),
        standbys_(seed % 2 == 1),
        coordinator_(Description(standbys_), &threads_, &random_),
        oracles_(Oracles(data_->summary)) {
    JoinRequest first;  // brings the data summary; there is no shard yet
    *first.mutable_data() = data_->summary;
    EXPECT_TRUE(absl::IsUnavailable((*coordinator_).Join(first).status()));
    coordinator_.Checkpoint();
    for (int server = 0; server < (standbys_ ? 2 : 1); ++server)
      for (uint32_t shard = 0; shard < kShards; ++shard) AddHost(shard, /*take_over=*/false);
  }

  void Run() {
    for (int replica = 0; replica < kReplicas; ++replica) StartReplica();
    threads_.Start([this] { evaluated_ = RunEvaluator(EvaluatorOptions()); });
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      if (threads_.RunUntil(threads_.Now() + random_.Uniform() * absl::Milliseconds(200))) break;
      SomethingHappens();
      Tick();
    }
    coordinator_.ComeBack();
    for (const auto& host : hosts_)
      host->process().cut_until = back_[host->options().address] = threads_.Now();
    for (const auto& replica : replicas_) replica->cut_until = threads_.Now();
    bool ended = false;
    for (int step = 0; step < 3000 && !ended; ++step) {
      ended = threads_.RunUntil(threads_.Now() + absl::Milliseconds(200));
      network_.DeliverOneDelayed();
      coordinator_.Checkpoint();
      Tick();
    }
    EXPECT_TRUE(ended) << "the run does not end";
    if (!ended) {  // its threads cannot be joined
      std::fflush(nullptr);
      _exit(1);
    }
    EXPECT_EQ((*coordinator_).GetRunStatus({})->phase(), RunStatus::FINISHED);
    EXPECT_EQ(evaluated_, absl::OkStatus());
    EXPECT_GT(hostile_.refused(), 1000) << "hardly anybody attacks";
    for (const auto& replica : replicas_) EXPECT_TRUE(replica->killed || replica->end.ok()) << replica->end;
    const CoordinatorCheckpoint last = (*coordinator_).Checkpoint();
    for (const ShardAddress& shard : last.shards())
      EXPECT_EQ(hosts_[HostAt(shard.address())]->process().end, absl::OkStatus()) << shard.address();
  }

  int64_t acknowledged() const { return standby_oracle_.acknowledged(); }
  int promotions() const { return standby_oracle_.promotions(); }
  int take_overs() const { return take_overs_; }

 private:
  class ShardLink;

  static RunDescription Description(bool standbys) {
    RunDescription description = SyntheticRun();
    description.mutable_cluster()->set_standbys(standbys ? 1 : 0);
    description.mutable_cluster()->set_replica_timeout_s(absl::ToDoubleSeconds(kReplicaTimeout));
    description.mutable_budget()->set_updates(2500);
    description.mutable_evaluation()->set_every_updates(100);
    return description;
  }
  // The same for every seed.
  static const std::vector<PushOracle>& Oracles(const DataSummary& summary) {
    static const auto* const oracles = [&summary] {
      auto* const made = new std::vector<PushOracle>();
      const RunDescription description = Description(false);
      const auto shards = *ShardOptions(description, "run", summary);
      for (const ParameterShard::Options& options : shards) {
        const ShardSnapshot initial = (*CreateShard(options, description))->Snapshot();
        made->emplace_back(options, initial.parameters, kMostPushes);
      }
      return made;
    }();
    return *oracles;
  }

  static uint32_t HostAt(const std::string& address) { return static_cast<uint32_t>(std::stoul(address)); }
  void AddHost(uint32_t shard, bool take_over) {
    SimulatedHost::Options options;
    options.shard = shard;
    options.address = absl::StrCat(hosts_.size());
    options.take_over = take_over;
    options.segment_elements = kSegment;
    options.folder = absl::StrCat(::testing::TempDir(), "/whole_cluster_", getpid(), "_", hosts_.size());
    if (standbys_) options.following = Following(shard);
    hosts_.push_back(std::make_unique<SimulatedHost>(options, &coordinator_, &threads_));
    hosts_.back()->StartServer();
  }
  SimulatedFollower::Options Following(uint32_t shard) {
    SimulatedFollower::Options following;
    following.shard = (*ShardOptions(Description(true), "run", data_->summary))[shard];
    following.shard.segment_elements = kSegment;
    following.at = [this](const std::string& address) { return &hosts_[HostAt(address)]->process(); };
    following.network = &coordinator_;
    following.threads = &threads_;
    following.random = &random_;
    return following;
  }
  void StartReplica();
  EvaluatorLoopOptions EvaluatorOptions();
  ShardConnector Connector(Party* party);
  void SomethingHappens();
  void Tick();
  void TickHost(SimulatedHost* host);
  void CheckHost(const SimulatedHost& host) const;
  void CheckMembers();

  Random random_;
  const std::shared_ptr<const RunData> data_ = SyntheticRunData();
  SimulatedThreads threads_;
  FaultyNetwork network_;
  const bool standbys_;  // each shard has one
  SimulatedCoordinator coordinator_;
  HostilePeer hostile_{&coordinator_, /*seed=*/1};
  const std::vector<PushOracle>& oracles_;
  std::vector<std::unique_ptr<SimulatedHost>> hosts_;
  StandbyOracle standby_oracle_{
      [this](const std::string& address) -> SimulatedHost& { return *hosts_[HostAt(address)]; }};
  std::map<std::string, absl::Time> back_;  // when a server that is down starts again, by its host's address
  std::vector<std::unique_ptr<SimulatedReplica>> replicas_;
  Party evaluator_{.caller = Caller({"evaluator"})};
  std::vector<std::unique_ptr<ReplicaLink>> links_;
  absl::Status evaluated_;
  int take_overs_ = 0;
};

void Simulation::SomethingHappens() {
  const double what = random_.Uniform();
  SimulatedHost& host = *hosts_[random_.Below(hosts_.size())];
  SimulatedReplica& replica = *replicas_[random_.Below(replicas_.size())];
  const absl::Time later = threads_.Now() + random_.Uniform() * kLongestAway;
  if (what < 0.02) {
    host.Kill();
    back_[host.options().address] = later;
  } else if (what < 0.025) {
    host.process().stopping = true;
    back_[host.options().address] = later;
  } else if (what < 0.12) {
    host.WriteCheckpoint(/*full=*/random_.Uniform() < 0.2);
  } else if (what < 0.125) {
    host.DamageNewestCheckpoint(&random_);
  } else if (what < 0.13) {
    const bool take_over = random_.Uniform() < (standbys_ ? 0.1 : 0.5);
    if (hosts_.size() < kMostHosts) AddHost(host.options().shard, take_over);
  } else if (what < 0.40) {
    network_.DeliverOneDelayed();
  } else if (what < 0.42) {
    if (!replica.killed && !replica.ended) StartReplica();
    replica.killed = true;
    replica.killed_at = threads_.Now();
  } else if (what < 0.43) {
    if (!replica.killed && !replica.ended && !replica.leaves) StartReplica();
    replica.leaves = true;
  } else if (what < 0.45) {
    replica.cut_until = later;
  } else if (what < 0.46) {
    host.process().cut_until = later;
  } else if (what < 0.49) {
    threads_.JumpWall((random_.Uniform() - 0.5) * absl::Hours(4));
  } else if (what < 0.60) {
    coordinator_.Checkpoint();
  } else if (what < 0.61) {
    coordinator_.Crash(random_.Uniform() * kReplicaTimeout);
  }
}

// What the programs do by themselves now and then; then the oracles look at everything.
void Simulation::Tick() {
  coordinator_.Tick();
  standby_oracle_.Look(coordinator_.on_disk());
  hostile_.Attack(hosts_[hostile_.refused() % hosts_.size()]->serving());
  for (const auto& host : hosts_) TickHost(host.get());
  for (const auto& replica : replicas_) coordinator_.NoteWhetherReached(replica.get());
  for (const auto& host : hosts_) CheckHost(*host);
  if (coordinator_.up()) CheckMembers();
}

// A server that ended is started again, as Compose does it: one that was refused too, sooner or later.
void Simulation::TickHost(SimulatedHost* host) {
  coordinator_.NoteWhetherReached(&host->process());
  const SimulatedHost::Process& process = host->process();
  const bool down = process.killed || (process.ended && !process.end.ok());
  if (!down) return;
  absl::Time& back = back_[host->options().address];
  // One that was refused since its shard had two servers.
  if (standbys_ && process.ended && back == absl::InfiniteFuture()) back = threads_.Now() + absl::Seconds(1);
  if (threads_.Now() >= back) {
    back = absl::InfiniteFuture();
    host->StartServer();
  }
}

// Each shard is what its oracle says; and of two servers of a shard the older has had no chance to hear of it.
void Simulation::CheckHost(const SimulatedHost& host) const {
  const PushOracle& oracle = oracles_[host.options().shard];
  if (::testing::Test::HasFailure()) return;
  if (host.process().follows_with_shard())
    oracle.Check(host.process().follower->shard()->Snapshot(), *host.process().follower->held());
  if (host.serving() == nullptr) return;
  oracle.Check(host.serving()->Snapshot(), *host.process().held);
  for (const auto& other : hosts_) {
    if (other.get() == &host || other->serving() == nullptr) continue;
    if (other->options().shard != host.options().shard) continue;
    EXPECT_LT(std::min(coordinator_.ReachedFor(host.process()), coordinator_.ReachedFor(other->process())),
              kSlack)
        << "two servers serve shard " << host.options().shard;
  }
}

void Simulation::CheckMembers() {
  std::set<std::pair<uint64_t, uint64_t>> members;
  const MembershipState membership = (*coordinator_).Checkpoint().membership();
  for (const auto& member : membership.replicas()) members.emplace(member.replica_id(), member.incarnation());
  for (const auto& replica : replicas_) {
    if (!replica->joined) continue;
    const bool member = members.contains({replica->id, replica->incarnation});
    if (replica->killed) {
      const absl::Time since = std::max(replica->killed_at, coordinator_.restored_at());
      EXPECT_FALSE(member && threads_.Now() - since > kReplicaTimeout + kSlack) << "the dead live on";
    } else if (coordinator_.ReachedFor(*replica) > kReplicaTimeout + kSlack) {
      EXPECT_TRUE(member || replica->leaves) << "replica " << replica->id << " was taken for dead";
    }
  }
}

// A replica's, or the evaluator's, way to one server. It sends ones in place of the gradient.
class Simulation::ShardLink final : public ShardClient {
 public:
  ShardLink(Simulation* simulation, Party* party, FaultyShardClient::Options options)
      : simulation_(simulation),
        party_(party),
        host_(simulation->hosts_[options.shard].get()),
        client_(&simulation->network_, std::move(options)) {}

  KeyRange range() const override { return client_.range(); }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes&) override {
    RETURN_IF_ERROR(Travel());
    absl::StatusOr<PushOutcome> outcome =
        client_.Push(header, std::vector<float>(client_.range().size(), 1.0f));
    if (outcome.ok()) {
      SimulatedHost::Process* const server = &host_->process();
      RETURN_IF_ERROR(AwaitSafe(server->serving, *server, &simulation_->threads_));
      simulation_->standby_oracle_.Acknowledged(server, IdOf(header), client_.range().end);
      if (host_->options().take_over) ++simulation_->take_overs_;
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
    simulation_->coordinator_.Travel();
    if (party_->killed) return absl::CancelledError("killed");
    return simulation_->coordinator_.Cut(*party_) ? absl::UnavailableError("cut") : absl::OkStatus();
  }

  Simulation* const simulation_;
  Party* const party_;
  SimulatedHost* const host_;
  FaultyShardClient client_;
};

ShardConnector Simulation::Connector(Party* party) {
  return [this, party](const ShardAddress& address, const KeyRange& range, const RunKey& run,
                       const ClusterDescription&) {
    FaultyShardClient::Options options;
    options.shard = HostAt(address.address());
    options.range = range;
    options.run = run;
    options.run->view = address.view();
    options.by_segments = random_.Uniform() < 0.5;
    options.chunk_elements = options.by_segments ? kPiece : kChunk;
    return std::make_unique<ShardLink>(this, party, std::move(options));
  };
}

void Simulation::StartReplica() {
  SimulatedReplica* const replica = replicas_.emplace_back(std::make_unique<SimulatedReplica>()).get();
  replica->reached_since = threads_.Now();
  ReplicaLoopOptions options;
  options.coordinator =
      links_.emplace_back(std::make_unique<ReplicaLink>(&coordinator_, replica, replica)).get();
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
  options.coordinator =
      links_.emplace_back(std::make_unique<ReplicaLink>(&coordinator_, &evaluator_, nullptr)).get();
  options.connect_shard = Connector(&evaluator_);
  options.data = data_.get();
  options.clock = &threads_;
  return options;
}

TEST(WholeClusterTest, NoAcknowledgedPushIsLostOrTwiceAndOnlyTheDeadAreTakenForDead) {
  int take_overs = 0, promotions = 0;
  for (const uint64_t seed : SimulationSeeds(15, 10)) {
    SCOPED_TRACE(HowToReplay(seed));
    Simulation simulation(seed);
    simulation.Run();
    EXPECT_GT(simulation.acknowledged(), 500) << "the simulation hardly gets a push through";
    take_overs += simulation.take_overs();
    promotions += simulation.promotions();
    if (HasFailure()) return;
  }
  std::cout << promotions << " standbys took their primary's place; " << take_overs
            << " pushes acknowledged by servers that took a shard over\n";
  EXPECT_TRUE((take_overs > 0 && promotions > 0) || std::getenv("DOWNPOUR_SIMULATION_SEED") != nullptr);
}

}  // namespace
}  // namespace downpour
