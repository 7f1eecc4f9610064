// Where on the data's way: guards standbys; servers and the coordinator are killed, and no push is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "common/layout/network_layout.h"
#include "common/random.h"
#include "common/wire/run_identity.h"
#include "tests/testing/coordinator_cluster.h"
#include "tests/testing/processes.h"
#include "worker/transport/grpc_shard_client.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

constexpr int kReplicas = 4;

// Servers a and b of one shard, and replicas whose pushes add 1 to every parameter.
class Standbys : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    more_settings_ = {"--cluster.shards=1",
                      "--cluster.standbys=1",
                      "--cluster.replica_timeout_s=600",
                      "--optimizer.kind=SGD",
                      "--optimizer.learning_rate=1",
                      "--budget.updates=1000000000",
                      absl::StrCat("--checkpoint.every_s=", checkpoint_every_s_)};
    StartCoordinator();
  }
  void TearDown() override {
    stopped_ = true;
    for (std::thread& replica : replicas_) replica.join();
    a_.reset();
    b_.reset();
    Processes::TearDown();
  }

  std::unique_ptr<ChildProcess> StartServer(const std::string& name) const {
    std::filesystem::remove(PortFile(name));
    return std::make_unique<ChildProcess>(
        std::vector<std::string>{ProgramPath("downpour-server"), "--coordinator=" + address_, "--shard=0",
                                 "--state_dir=" + folder_ + "/" + name, "--port_file=" + PortFile(name)},
        absl::StrCat(folder_, "/", name, ".out"));
  }
  void StartBoth() {
    a_ = StartServer("a");
    b_ = StartServer("b");
  }
  std::string PortFile(const std::string& name) const { return absl::StrCat(folder_, "/", name, ".port"); }
  std::string AddressOf(const std::string& name) const {
    return std::string(absl::StripAsciiWhitespace(FileText(PortFile(name))));
  }

  std::unique_ptr<CoordinatorStub> NewStub() const {
    CoordinatorStub::Options options;
    options.address = address_;
    options.retry.give_up_after = absl::ZeroDuration();
    return std::make_unique<CoordinatorStub>(options);
  }
  // Where the shard is now; without an address: nobody says.
  static absl::StatusOr<JoinReply> LookUp(CoordinatorStub* stub) {
    JoinRequest request = SmallJoin("host");
    request.set_evaluator(true);
    return stub->Call(&ClusterCoordinator::Stub::Join, request);
  }
  std::unique_ptr<GrpcShardClient> ClientOf(const JoinReply& found) const {
    GrpcShardClient::Options options;
    options.address = found.shards(0).address();
    options.range = {0, NetworkLayout(found.description().network(), 6, 4)->size()};
    options.run = ToRunKey(found.run());
    options.run.view = found.shards(0).view();
    options.retry.give_up_after = absl::ZeroDuration();
    options.rpc_timeout = absl::Seconds(10);
    return std::make_unique<GrpcShardClient>(options);
  }
  // Makes `call(client)` until it is answered, wherever the shard is.
  template <typename Call>
  bool Repeat(CoordinatorStub* stub, Call call) {
    return WaitFor([&] {
      const absl::StatusOr<JoinReply> found = LookUp(stub);
      return found.ok() && call(ClientOf(*found).get());
    });
  }

  void StartReplicas() {
    for (int replica = 0; replica < kReplicas; ++replica) {
      const JoinReply joined = Join(SmallJoin("host"));
      replicas_.emplace_back([this, joined] { PushUntilStopped(joined); });
    }
  }
  void PushUntilStopped(const JoinReply& joined) {
    const auto stub = NewStub();
    for (uint64_t sequence = 1; !stopped_; ++sequence) {
      const PushHeader header{joined.replica_id(), joined.incarnation(), sequence, 0, joined.token()};
      EXPECT_TRUE(Repeat(stub.get(), [&](GrpcShardClient* client) {
        const absl::StatusOr<PushOutcome> pushed =
            client->Push(header, std::vector<float>(client->range().size(), -1));
        EXPECT_TRUE(pushed.ok() || IsTransient(pushed.status())) << pushed.status();
        return pushed.ok() || !IsTransient(pushed.status());
      }));
      ++acknowledged_;
    }
  }
  void StopReplicas() {
    stopped_ = true;
    for (std::thread& replica : replicas_) replica.join();
    replicas_.clear();
  }

  std::vector<float> Fetch() {
    std::vector<float> parameters;
    EXPECT_TRUE(Repeat(stub_.get(), [&](GrpcShardClient* client) {
      parameters.resize(client->range().size());
      return client->Fetch(absl::MakeSpan(parameters)).ok();
    }));
    return parameters;
  }
  // Whether one of the processes is the primary, and the other the standby.
  bool HasStandby() const {
    const auto overview = stub_->Call(&ClusterCoordinator::Stub::GetOverview, OverviewRequest());
    if (!overview.ok() || overview->shards_size() != 1) return false;
    const ShardOverview& shard = overview->shards(0);
    const std::string a = AddressOf("a"), b = AddressOf("b");
    return !a.empty() && !b.empty() &&
           ((shard.address() == a && shard.standby() == b) || (shard.address() == b && shard.standby() == a));
  }
  bool AwaitStandby() const {
    return WaitFor([this] { return HasStandby(); });
  }
  // Every parameter has grown by the number of pushes that were acknowledged; its fraction is rounded away as
  // it grows.
  void ExpectNothingLost(const std::vector<float>& initial) {
    const std::vector<float> parameters = Fetch();
    ASSERT_EQ(parameters.size(), initial.size());
    for (size_t key = 0; key < initial.size(); ++key)
      ASSERT_EQ(std::lround(parameters[key] - initial[key]), acknowledged_) << "key " << key;
  }

  double checkpoint_every_s_ = 0.5;
  std::unique_ptr<ChildProcess> a_, b_;
  std::vector<std::thread> replicas_;
  std::atomic<bool> stopped_ = false;
  std::atomic<int> acknowledged_ = 0;
};

TEST_F(Standbys, TheStandbyTakesThePlaceOfAPrimaryThatIsKilled) {
  StartBoth();
  Join(SmallJoin("host"));
  const std::vector<float> initial = Fetch();
  ASSERT_TRUE(AwaitStandby());
  StartReplicas();
  ASSERT_TRUE(WaitFor([&] { return acknowledged_ > 50; }));
  const std::string primary = LookUp(stub_.get())->shards(0).address();
  (primary == AddressOf("a") ? a_ : b_)->KillAndWait();
  const int then = acknowledged_;
  ASSERT_TRUE(WaitFor([&] { return acknowledged_ > then + 50; }));
  EXPECT_NE(LookUp(stub_.get())->shards(0).address(), primary);
  EXPECT_FALSE(HasStandby());
  StopReplicas();
  ExpectNothingLost(initial);
}

class StandbysWithOneCheckpoint : public Standbys {
 protected:
  StandbysWithOneCheckpoint() { checkpoint_every_s_ = 100'000; }
};

TEST_F(StandbysWithOneCheckpoint, AStandbyThatTookThePrimarysPlaceGoesOnFromACheckpointOfItsOwn) {
  a_ = StartServer("a");
  Join(SmallJoin("host"));
  const std::vector<float> initial = Fetch();
  StartReplicas();
  ASSERT_TRUE(WaitFor([&] { return acknowledged_ > 50; }));
  b_ = StartServer("b");
  ASSERT_TRUE(AwaitStandby());
  const std::string checkpoint = folder_ + "/b/shard-0.ckpt";
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(checkpoint); }, absl::Seconds(20)));
  a_->KillAndWait();
  ASSERT_TRUE(WaitFor([&] {
    const absl::StatusOr<JoinReply> found = LookUp(stub_.get());
    return found.ok() && found->shards(0).address() == AddressOf("b");
  }));
  const int then = acknowledged_;
  ASSERT_TRUE(WaitFor([&] { return acknowledged_ > then + kReplicas; }));
  b_->KillAndWait();
  b_ = StartServer("b");
  const std::vector<float> parameters = Fetch();
  ASSERT_EQ(parameters.size(), initial.size());
  for (size_t key = 0; key < initial.size(); ++key)
    ASSERT_GE(parameters[key] - initial[key], 50) << "key " << key;
  StopReplicas();
}

// DOWNPOUR_KILLS and DOWNPOUR_SEED make it longer and another one.
TEST_F(Standbys, NoAcknowledgedPushIsLostWhoeverIsKilled) {
  const char* const kills = std::getenv("DOWNPOUR_KILLS");
  const char* const seed = std::getenv("DOWNPOUR_SEED");
  Random random(seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1);
  StartBoth();
  Join(SmallJoin("host"));
  const std::vector<float> initial = Fetch();
  StartReplicas();
  const int most = kills != nullptr ? std::atoi(kills) : 12;
  int of_primary = 0, of_standby = 0, of_coordinator = 0;
  for (int kill = 0; kill < most && !HasFailure(); ++kill) {
    ASSERT_TRUE(AwaitStandby());
    absl::SleepFor(random.Uniform() * absl::Milliseconds(300));  // at any instant
    const absl::StatusOr<JoinReply> found = LookUp(stub_.get());
    ASSERT_TRUE(found.ok()) << found.status();
    const bool a_is_primary = found->shards(0).address() == AddressOf("a");
    const double victim = random.Uniform();
    if (victim < 0.2) {
      coordinator_->KillAndWait();
      StartCoordinator();
      ++of_coordinator;
    } else {
      const bool primary = victim < 0.7;
      const bool a = primary == a_is_primary;
      (a ? a_ : b_)->KillAndWait();
      if (a)
        a_ = StartServer("a");
      else
        b_ = StartServer("b");
      ++(primary ? of_primary : of_standby);
    }
  }
  StopReplicas();
  ExpectNothingLost(initial);
  if (HasFailure()) return;
  std::cout << "killed " << of_primary << " primaries, " << of_standby << " standbys, " << of_coordinator
            << " coordinators; " << acknowledged_ << " pushes acknowledged, none lost\n";
}

}  // namespace
}  // namespace downpour
