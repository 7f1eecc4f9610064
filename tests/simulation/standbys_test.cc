// Where on the data's way: guards standbys in a simulation: the real coordinator, the real loops of a shard's
// servers, its log and what follows it. Servers die and are cut off, streams break, the coordinator crashes
// and goes back to its checkpoint.
//
// No server is killed whose state nobody else has, as the coordinator's disk says. So every push that a
// replica was told is applied must be in the shard at the end, and each once: a push makes every parameter
// smaller by 1.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/back_off.h"
#include "common/status_macros.h"
#include "server/shard/server_loop.h"
#include "server/shard/shard_start.h"
#include "tests/testing/hostile_peer.h"
#include "tests/testing/simulated_coordinator.h"
#include "tests/testing/simulated_follower.h"
#include "tests/testing/simulated_threads.h"
#include "tests/testing/simulation_seeds.h"
#include "tests/testing/synthetic_data.h"

namespace downpour {
namespace {

constexpr int kHosts = 3;
constexpr int kReplicas = 3;
constexpr int kSteps = 400;  // in which something goes wrong, on average a tenth of a second each
constexpr absl::Duration kLongestAway = absl::Seconds(8);

using Process = ServingParty;

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), coordinator_(Description(), &threads_, &random_) {
    JoinRequest first;  // brings the data summary; there is no shard yet
    *first.mutable_data() = data_->summary;
    EXPECT_TRUE(absl::IsUnavailable((*coordinator_).Join(first).status()));
    options_ = (*ShardOptions(Description(), "run", data_->summary))[0];
    options_.segment_elements = 64;
    for (int host = 0; host < kHosts; ++host) StartServer(host);
  }

  void Run() {
    for (int replica = 0; replica < kReplicas; ++replica) threads_.Start([this] { PushUntilTheEnd(); });
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      threads_.RunUntil(threads_.Now() + random_.Uniform() * absl::Milliseconds(200));
      SomethingHappens();
      Tick();
    }
    coordinator_.ComeBack();
    for (absl::Time& back : back_) back = std::min(back, threads_.Now() + absl::Seconds(1));
    for (const auto& process : processes_) process->cut_until = threads_.Now();
    ending_ = true;
    for (int step = 0; step < 600 && (pushing_ > 0 || !HasStandby()); ++step) Step();
    EXPECT_EQ(pushing_, 0) << "pushes are not acknowledged though nothing goes wrong any more";
    EXPECT_TRUE(HasStandby()) << "there is no standby though nothing goes wrong any more";
    Check();
    stopping_ = true;
    bool ended = false;
    for (int step = 0; step < 600 && !ended; ++step) ended = Step();
    if (!ended) {  // its threads cannot be joined
      ADD_FAILURE() << "a server does not stop";
      std::fflush(nullptr);
      _exit(1);
    }
  }

  int64_t acknowledged_ = 0;
  int kills_of_primaries_ = 0, kills_of_standbys_ = 0;

 private:
  static RunDescription Description() {
    RunDescription description = SyntheticRun();
    description.mutable_cluster()->set_shards(1);
    description.mutable_cluster()->set_standbys(1);
    description.mutable_cluster()->set_replica_timeout_s(1e6);
    description.clear_optimizer();
    description.mutable_optimizer()->set_kind(OptimizerDescription::SGD);
    description.mutable_optimizer()->set_learning_rate(1);
    description.mutable_budget()->set_updates(1000000);
    return description;
  }

  void StartServer(int host);
  SimulatedFollower::Options FollowerOptions() {
    return {options_, [this](const std::string& address) { return At(address); }, &coordinator_, &threads_,
            &random_};
  }
  absl::StatusOr<std::shared_ptr<ParameterShard>> Serve(Process* process,
                                                        const RegisterShardReply& registered,
                                                        std::shared_ptr<ParameterShard> followed);
  void PushUntilTheEnd();
  absl::StatusOr<PushOutcome> PushOnce(const PushHeader& header);
  void SomethingHappens();
  void KillIfOthersHaveIt(int host);
  void Check() const;
  bool Step() {
    const bool ended = threads_.RunUntil(threads_.Now() + absl::Milliseconds(100));
    Tick();
    return ended;
  }
  void Tick();

  Process* At(const std::string& address) {
    const int host = std::stoi(address);
    Process* const process = current_[host];
    return process->killed ? nullptr : process;
  }
  // Of the coordinator's disk.
  ShardAddress OnDisk() const {
    const CoordinatorCheckpoint& checkpoint = coordinator_.on_disk();
    return checkpoint.shards_size() == 1 ? checkpoint.shards(0) : ShardAddress();
  }
  bool IsMember(int host, uint64_t server) const {
    return server != 0 && !current_[host]->killed && numbers_[host].contains(server);
  }
  bool HasStandby() const {
    const ShardAddress shard = OnDisk();
    return shard.standby_server() != 0 && !shard.standby_leaves() &&
           IsMember(std::stoi(shard.standby_address()), shard.standby_server()) &&
           IsMember(std::stoi(shard.address()), shard.server());
  }

  Random random_;
  const std::shared_ptr<const RunData> data_ = SyntheticRunData();
  SimulatedThreads threads_;
  SimulatedCoordinator coordinator_;
  HostilePeer hostile_{&coordinator_, /*seed=*/1};
  ParameterShard::Options options_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::unique_ptr<SimulatedFollower>> followers_;
  Process* current_[kHosts] = {};
  std::set<uint64_t> numbers_[kHosts];  // of the host's present process
  absl::Time back_[kHosts];
  uint64_t next_number_ = 1;
  bool ending_ = false, stopping_ = false, begun_ = false;
  int pushing_ = kReplicas;
};

void Simulation::StartServer(int host) {
  Process* const process = processes_.emplace_back(std::make_unique<Process>()).get();
  current_[host] = process;
  numbers_[host].clear();
  back_[host] = absl::InfiniteFuture();
  process->reached_since = threads_.Now();
  process->caller = Caller({"shard/0"});
  SimulatedFollower* const follower =
      followers_.emplace_back(std::make_unique<SimulatedFollower>(FollowerOptions(), process)).get();
  threads_.Start([this, host, process, follower] {
    ServerLoopOptions options;
    options.get_run_status = [this, process] {
      return coordinator_.Call(process, &Coordinator::GetRunStatus, RunStatusRequest());
    };
    options.register_shard = [this, process](const RegisterShardRequest& request) {
      return coordinator_.Call(process, &Coordinator::RegisterShard, request);
    };
    options.request.set_shard(0);
    options.request.set_address(absl::StrCat(host));
    options.request.set_folder(1000 + host);
    options.follower = follower;
    options.new_number = [this, host, process] {
      if (current_[host] == process) numbers_[host].insert(next_number_);
      return next_number_++;
    };
    options.serve = [this, process](const RegisterShardReply& registered,
                                    std::shared_ptr<ParameterShard> followed) {
      return Serve(process, registered, std::move(followed));
    };
    options.stop_serving = [process] { process->serving = nullptr; };
    options.clock = &threads_;
    options.stopped = [this, process] { return process->killed || stopping_; };
    process->end = RunServer(options);
    process->ended = true;
    follower->Stop();
  });
}

absl::StatusOr<std::shared_ptr<ParameterShard>> Simulation::Serve(Process* process,
                                                                  const RegisterShardReply& registered,
                                                                  std::shared_ptr<ParameterShard> followed) {
  if (followed == nullptr) {
    EXPECT_FALSE(begun_) << "a server begins anew though another has what was acknowledged";
    begun_ = true;
    followed = *ParameterShard::Create(options_, std::vector<float>(options_.range.size()));
  }
  followed->set_view(registered.view());
  followed->set_run_secret(registered.run_secret());
  return process->serving = followed;
}
absl::StatusOr<PushOutcome> Simulation::PushOnce(const PushHeader& header) {
  if (!coordinator_.up()) return absl::UnavailableError("no coordinator");
  const ShardAddress shard = OnDisk();
  if (shard.view() == 0) return absl::UnavailableError("no shard");
  coordinator_.Travel();
  Process* const process = At(shard.address());
  if (process == nullptr || process->serving == nullptr || coordinator_.Cut(*process))
    return absl::UnavailableError("nobody answers");
  const std::shared_ptr<ParameterShard> serving = process->serving;
  const RunKey& run = serving->run();
  RETURN_IF_ERROR(serving->CheckRun({run.run_id, run.layout_fingerprint, shard.view()}));
  const std::vector<float> ones(64, 1.0F);
  absl::StatusOr<PushOutcome> outcome = absl::UnavailableError("nothing sent");
  for (int64_t begin = options_.range.begin; begin < options_.range.end; begin += 64) {
    const int64_t size = std::min<int64_t>(64, options_.range.end - begin);
    outcome = serving->ApplyChunk(header, begin, absl::MakeConstSpan(ones).first(size));
    if (!outcome.ok()) return outcome;
    if (random_.Uniform() < 0.2) threads_.SleepFor(absl::Milliseconds(5));
    if (process->killed) return absl::UnavailableError("killed");
  }
  RETURN_IF_ERROR(AwaitSafe(serving, *process, &threads_));
  return outcome;
}

void Simulation::PushUntilTheEnd() {
  JoinRequest request;
  *request.mutable_data() = data_->summary;
  Party replica{.caller = Caller({"worker"})};
  absl::StatusOr<JoinReply> joined = coordinator_.Call(&replica, &Coordinator::Join, request);
  for (; !joined.ok(); joined = coordinator_.Call(&replica, &Coordinator::Join, request))
    threads_.SleepFor(absl::Milliseconds(50));
  coordinator_.Checkpoint();  // or the coordinator might give another replica the same id
  for (uint64_t sequence = 1; !ending_; ++sequence) {
    for (;;) {
      const absl::StatusOr<PushOutcome> pushed =
          PushOnce({joined->replica_id(), joined->incarnation(), sequence, 0, joined->token()});
      EXPECT_TRUE(pushed.ok() || IsTransient(pushed.status()) || absl::IsOutOfRange(pushed.status()))
          << pushed.status();
      if (pushed.ok() || ::testing::Test::HasFailure()) break;
      threads_.SleepFor(absl::Milliseconds(50));
    }
    ++acknowledged_;
    threads_.SleepFor(random_.Uniform() * absl::Milliseconds(150));
  }
  --pushing_;
}

void Simulation::KillIfOthersHaveIt(int host) {
  const ShardAddress shard = OnDisk();
  const bool primary = IsMember(host, shard.server()), standby = IsMember(host, shard.standby_server());
  Process* const process = current_[host];
  // Whoever serves counts as primary as long as the disk does not say who comes after it.
  if (process->killed || ((primary || standby || process->serving != nullptr) && !HasStandby())) return;
  kills_of_primaries_ += primary ? 1 : 0;
  kills_of_standbys_ += standby ? 1 : 0;
  process->killed = true;
  if (process->serving != nullptr) process->serving->log().Close();
  process->serving = nullptr;
  back_[host] = threads_.Now() + random_.Uniform() * kLongestAway;
}

void Simulation::SomethingHappens() {
  const double what = random_.Uniform();
  const int host = static_cast<int>(random_.Below(kHosts));
  if (what < 0.12) {
    KillIfOthersHaveIt(host);
  } else if (what < 0.15) {
    current_[host]->cut_until = threads_.Now() + random_.Uniform() * kLongestAway;
  } else if (what < 0.17) {
    coordinator_.Crash(random_.Uniform() * absl::Seconds(4));
  } else if (what < 0.5) {
    coordinator_.Checkpoint();
  }
}

void Simulation::Tick() {
  coordinator_.Tick();
  hostile_.Attack(current_[hostile_.refused() % kHosts]->serving.get());
  if (ending_) coordinator_.Checkpoint();
  for (int host = 0; host < kHosts; ++host) {
    const Process& process = *current_[host];
    EXPECT_TRUE(!process.ended || process.killed || stopping_ || absl::IsFailedPrecondition(process.end))
        << process.end;
    // A third server is refused as long as the shard has two, and tries again.
    if (process.ended && !process.killed && back_[host] == absl::InfiniteFuture())
      back_[host] = threads_.Now() + absl::Seconds(1);
    if (!stopping_ && (process.killed || process.ended) && threads_.Now() >= back_[host]) StartServer(host);
  }
}

void Simulation::Check() const {
  const ShardAddress shard = OnDisk();
  const Process* const primary = current_[std::stoi(shard.address())];
  ASSERT_NE(primary->serving, nullptr);
  std::vector<float> parameters(options_.range.size());
  ASSERT_EQ(primary->serving->Read(options_.range, absl::MakeSpan(parameters)), absl::OkStatus());
  for (size_t key = 0; key < parameters.size(); ++key)
    ASSERT_EQ(-parameters[key], acknowledged_) << "pushes of key " << key;
}

TEST(StandbysTest, NoAcknowledgedPushIsLostOrAppliedTwice) {
  int64_t acknowledged = 0;
  int primaries = 0, standbys = 0;
  for (const uint64_t seed : SimulationSeeds(20, 20)) {
    SCOPED_TRACE(HowToReplay(seed));
    Simulation simulation(seed);
    simulation.Run();
    acknowledged += simulation.acknowledged_;
    primaries += simulation.kills_of_primaries_;
    standbys += simulation.kills_of_standbys_;
    if (HasFailure()) return;
  }
  std::cout << "killed " << primaries << " primaries, " << standbys << " standbys; no push lost\n";
  const bool replayed = std::getenv("DOWNPOUR_SIMULATION_SEED") != nullptr;
  EXPECT_TRUE(replayed || (primaries > 10 && standbys > 10)) << "hardly anybody was killed";
  EXPECT_TRUE(replayed || acknowledged > 1000) << "hardly a push gets through";
}

}  // namespace
}  // namespace downpour
