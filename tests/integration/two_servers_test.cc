// Where on the data's way: guards server/server_main.cc and the coordinator when two servers want one shard.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/layout/network_layout.h"
#include "common/program/run_program.h"
#include "common/wire/run_identity.h"
#include "tests/testing/coordinator_cluster.h"
#include "tests/testing/processes.h"
#include "worker/transport/grpc_shard_client.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

class TwoServers : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    more_settings_ = {"--cluster.shards=1", "--cluster.replica_timeout_s=60"};
    StartCoordinator();
  }

  std::unique_ptr<ChildProcess> StartServer(const std::string& folder, bool take_over = false) const {
    std::vector<std::string> command = {ProgramPath("downpour-server"), "--coordinator=" + address_,
                                        "--shard=0", "--state_dir=" + folder_ + "/" + folder};
    if (take_over) command.push_back("--take_over");
    return std::make_unique<ChildProcess>(command, absl::StrCat(folder_, "/", folder, ".out"));
  }
  JoinReply Join() const { return Processes::Join(SmallJoin("host")); }
  // The shard in the map, as soon as it is that view.
  ShardAddress AwaitView(uint64_t view) {
    JoinRequest evaluator = SmallJoin("host");
    evaluator.set_evaluator(true);
    ShardAddress shard;
    EXPECT_TRUE(WaitFor([&] {
      shard = Processes::Join(evaluator).shards(0);
      return shard.view() == view;
    })) << shard.ShortDebugString();
    return shard;
  }
  // Makes the replica's push, which a shard refuses until it has heard that the replica has joined.
  absl::StatusOr<PushOutcome> Push(const JoinReply& joined, const ShardAddress& shard, uint64_t sequence) {
    const auto layout = NetworkLayout(joined.description().network(), 6, 4);
    GrpcShardClient::Options options;
    options.address = shard.address();
    options.range = {0, layout->size()};
    options.run = ToRunKey(joined.run());
    options.run.view = shard.view();
    options.retry.give_up_after = absl::Seconds(5);
    return GrpcShardClient(options).Push(
        {joined.replica_id(), joined.incarnation(), sequence, 0, joined.token()},
        std::vector<float>(layout->size(), 1));
  }
};

TEST_F(TwoServers, TheSecondIsRefusedAndTheFirstKeepsTheShard) {
  const auto first = StartServer("first");
  const JoinReply replica = Join();
  EXPECT_EQ(Push(replica, replica.shards(0), 1)->version, 1);
  const auto second = StartServer("second");
  EXPECT_EQ(second->Wait(), kExitUsage);
  EXPECT_THAT(second->Output(), HasSubstr("with its state in another folder"));
  EXPECT_THAT(second->Output(), HasSubstr("--take_over"));
  EXPECT_EQ(AwaitView(1).address(), replica.shards(0).address());
  EXPECT_EQ(Push(replica, replica.shards(0), 2)->version, 2);
  EXPECT_EQ(first->Wait(absl::ZeroDuration()), -1);
}

TEST_F(TwoServers, ATakeOverStopsTheFirstWhichDoesNotWinWhenItReturns) {
  const auto first = StartServer("first");
  const JoinReply replica = Join();
  const ShardAddress old = replica.shards(0);
  EXPECT_EQ(Push(replica, old, 1)->version, 1);
  const auto second = StartServer("second", /*take_over=*/true);
  EXPECT_EQ(first->Wait(), kExitUsage);
  EXPECT_THAT(first->Output(), HasSubstr("and must stop"));
  const ShardAddress now = AwaitView(2);
  EXPECT_NE(now.address(), old.address());
  EXPECT_EQ(Push(replica, now, 2)->version, 1) << "it has begun with the run's initial parameters";
  ShardAddress stale = now;
  stale.set_view(1);
  EXPECT_THAT(std::string(Push(replica, stale, 3).status().message()), HasSubstr("a request for view 1"));

  const auto returning = StartServer("first");
  EXPECT_EQ(returning->Wait(), kExitUsage);
  EXPECT_EQ(AwaitView(2).address(), now.address());
}

TEST_F(TwoServers, AServerThatIsKilledComesBackAtOnceWithTheNextView) {
  auto server = StartServer("first");
  const JoinReply replica = Join();
  EXPECT_TRUE(Push(replica, replica.shards(0), 1).ok());
  server->KillAndWait();
  server = StartServer("first");
  const ShardAddress again = AwaitView(2);
  EXPECT_TRUE(Push(replica, again, 2).ok());
  coordinator_->KillAndWait();
  StartCoordinator();
  EXPECT_EQ(AwaitView(2).address(), again.address());
  EXPECT_TRUE(Push(replica, again, 3).ok());
}

}  // namespace
}  // namespace downpour
