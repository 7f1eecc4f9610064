// Where on the data's way: the coordinator; shards that fall silent, and come back.
#include "server/coordinator/shard_watch.h"

#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

class ShardWatchTest : public CoordinatorTest {
 protected:
  void Register(uint32_t shard) {
    RegisterShardRequest request;
    request.set_shard(shard);
    request.set_address("host:710" + std::to_string(shard));
    ASSERT_TRUE(coordinator->RegisterShard(request).ok());
  }
  // As the coordinator's program does once a second. Returns what it logs.
  std::string Look() {
    ::testing::internal::CaptureStdout();
    coordinator->LookForLostShards();
    return ::testing::internal::GetCapturedStdout();
  }
};

TEST_F(ShardWatchTest, AShardThatFallsSilentIsLostUntilItRegistersAgain) {
  Start(SmallRun());
  Register(0);
  Register(1);
  clock.Advance(absl::Seconds(4));
  Register(0);
  EXPECT_EQ(Look(), "");
  clock.Advance(absl::Seconds(1));
  EXPECT_THAT(Look(), ::testing::HasSubstr("shard 1 at 'host:7101' is lost: no sign of life for 5s"));
  EXPECT_EQ(Look(), "") << "said once";
  ASSERT_EQ(Status().shards_size(), 2);
  EXPECT_FALSE(Status().shards(0).lost());
  EXPECT_EQ(Status().shards(0).silent_s(), 1);
  EXPECT_TRUE(Status().shards(1).lost());
  EXPECT_EQ(Status().shards(1).silent_s(), 5);
  EXPECT_EQ(Status().phase(), RunStatus::TRAINING) << "it keeps its place";

  clock.Advance(absl::Seconds(7));
  ::testing::internal::CaptureStdout();
  Register(1);
  EXPECT_THAT(::testing::internal::GetCapturedStdout(),
              ::testing::HasSubstr("shard 1 at 'host:7101' gives signs of life again, after 12s"));
  EXPECT_FALSE(Status().shards(1).lost());
}

TEST_F(ShardWatchTest, AfterARestartShardsHaveTheirTimeToComeBack) {
  Start(SmallRun());
  Register(0);
  const CoordinatorCheckpoint checkpoint = coordinator->Checkpoint();
  clock.Advance(absl::Hours(1));
  coordinator = Coordinator::Restore(OptionsFor(SmallRun()), checkpoint).value();
  EXPECT_EQ(Look(), "");
  clock.Advance(ShardWatch::kSilence);
  EXPECT_THAT(Look(), ::testing::HasSubstr("shard 0 at 'host:7100' is lost"));
}

TEST_F(ShardWatchTest, ShardsOfTheOwnProcessAreNotWatched) {
  Start(SmallRun());
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(Look(), "");
  EXPECT_EQ(Status().shards_size(), 0);
}

}  // namespace
}  // namespace downpour
