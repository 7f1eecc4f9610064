// Where on the data's way: the coordinator; who has a shard when several servers want it.
#include "server/coordinator/shard_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace downpour {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kFolder = 0xf01de4, kOther = 0x07e4;

class ShardViewsTest : public ::testing::Test {
 protected:
  // Of a server that has just started.
  static RegisterShardRequest Start(const std::string& address, uint64_t folder, bool take_over = false) {
    RegisterShardRequest request;
    request.set_shard(0);
    request.set_address(address);
    request.set_folder(folder);
    request.set_take_over(take_over);
    return request;
  }
  // Of a server that has that view.
  static RegisterShardRequest Call(const std::string& address, uint64_t folder, uint64_t view) {
    RegisterShardRequest request = Start(address, folder);
    request.set_view(view);
    return request;
  }
  uint64_t ViewOf(const RegisterShardRequest& request) {
    const auto server = views_.Register(request, now_);
    EXPECT_TRUE(server.ok()) << server.status();
    return server.ok() ? server->shard.view() : 0;
  }
  void ExpectStatus(const RegisterShardRequest& request, absl::StatusCode code, const std::string& message) {
    const absl::Status status = views_.Register(request, now_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
  std::string Address() const {
    JoinReply reply;
    views_.AddTo(&reply);
    return reply.shards(0).address();
  }
  CoordinatorCheckpoint Save() const {
    CoordinatorCheckpoint checkpoint;
    views_.Save(&checkpoint);
    return checkpoint;
  }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  ShardViews views_{1, /*checkpointed=*/false};
};

TEST_F(ShardViewsTest, AServerKeepsItsViewAndItsRestartBeginsTheNext) {
  EXPECT_EQ(ViewOf(Start("a:1", kFolder)), 1);
  EXPECT_EQ(ViewOf(Call("a:1", kFolder, 1)), 1);
  EXPECT_EQ(ViewOf(Start("a:2", kFolder)), 2) << "at once, since its folder's lock was free";
  EXPECT_EQ(Address(), "a:2");
  ExpectStatus(Call("a:1", kFolder, 1), absl::StatusCode::kFailedPrecondition,
               "shard 0 is in view 2, at 'a:2': the server at 'a:1' has view 1 and must stop");
  EXPECT_EQ(Address(), "a:2");
}

TEST_F(ShardViewsTest, ASecondServerWithAnotherFolderIsRefusedAndTheFirstGoesOn) {
  EXPECT_EQ(ViewOf(Start("a:1", kFolder)), 1);
  now_ += absl::Hours(1);
  ExpectStatus(Start("b:1", kOther), absl::StatusCode::kFailedPrecondition, "--take_over");
  ExpectStatus(Start("b:1", 0), absl::StatusCode::kFailedPrecondition, "--take_over");
  EXPECT_EQ(Address(), "a:1");
  EXPECT_EQ(ViewOf(Call("a:1", kFolder, 1)), 1);
}

TEST_F(ShardViewsTest, AServerThatTakesOverGetsTheShardOnceTheOtherHasStopped) {
  EXPECT_EQ(ViewOf(Start("a:1", kFolder)), 1);
  ExpectStatus(Start("b:1", kOther, true), absl::StatusCode::kUnavailable, "is told to stop");
  EXPECT_EQ(Address(), "a:1");
  now_ += absl::Seconds(1);
  ExpectStatus(Call("a:1", kFolder, 1), absl::StatusCode::kFailedPrecondition,
               "another server takes it over");
  ExpectStatus(Start("b:1", kOther, true), absl::StatusCode::kUnavailable, "is told to stop");
  now_ += ShardViews::kSilent;
  EXPECT_EQ(ViewOf(Start("b:1", kOther, true)), 2);
  EXPECT_EQ(Address(), "b:1");
  // The old server comes back with its old state, and does not win.
  ExpectStatus(Start("a:1", kFolder), absl::StatusCode::kFailedPrecondition, "lose what was acknowledged");
  EXPECT_EQ(ViewOf(Call("b:1", kOther, 2)), 2);
}

TEST_F(ShardViewsTest, NobodyIsToldAViewBeforeItIsOnDisk) {
  views_ = ShardViews(1, /*checkpointed=*/true);
  for (int repeat = 0; repeat < 3; ++repeat)
    ExpectStatus(Start("a:1", kFolder), absl::StatusCode::kUnavailable,
                 "view 1, at 'a:1', which is not on disk");
  views_.Written(Save());
  EXPECT_EQ(ViewOf(Start("a:1", kFolder)), 1) << "the same server, which asks again";
  ExpectStatus(Start("a:2", kFolder), absl::StatusCode::kUnavailable,
               "view 2, at 'a:2', which is not on disk");
  // The coordinator dies before it is, and comes back.
  CoordinatorCheckpoint checkpoint = Save();
  checkpoint.mutable_shards(0)->set_view(1);
  checkpoint.mutable_shards(0)->set_address("a:1");
  ASSERT_EQ(views_.Load(checkpoint, now_), absl::OkStatus());
  EXPECT_EQ(ViewOf(Call("a:1", kFolder, 1)), 1);
}

TEST_F(ShardViewsTest, ServersOfTheInProcessClusterDoNotWaitForADisk) {
  views_ = ShardViews(1, /*checkpointed=*/true);
  EXPECT_EQ(ViewOf(Start("", 0)), 1);
  EXPECT_EQ(ViewOf(Start("", 0)), 2);
}

TEST_F(ShardViewsTest, ARestoredCoordinatorKnowsTheViewsOrLearnsLaterOnes) {
  EXPECT_EQ(ViewOf(Start("a:1", kFolder)), 1);
  EXPECT_EQ(ViewOf(Start("a:2", kFolder)), 2);
  const CoordinatorCheckpoint checkpoint = Save();
  views_ = ShardViews(1, false);
  ASSERT_EQ(views_.Load(checkpoint, now_), absl::OkStatus());
  ExpectStatus(Start("b:1", kOther), absl::StatusCode::kFailedPrecondition, "is in view 2, at 'a:2'");
  EXPECT_EQ(ViewOf(Call("a:2", kFolder, 2)), 2);

  views_ = ShardViews(1, false);  // from before the shard was known
  EXPECT_EQ(ViewOf(Call("a:2", kFolder, 2)), 2);
  ExpectStatus(Call("a:1", kFolder, 1), absl::StatusCode::kFailedPrecondition, "must stop");
}

TEST_F(ShardViewsTest, FoldersStayInTheCheckpoint) {
  EXPECT_EQ(ViewOf(Start("a:1", kFolder)), 1);
  JoinReply reply;
  views_.AddTo(&reply);
  EXPECT_EQ(reply.shards(0).folder(), 0) << "who knows it could take the shard";
  EXPECT_EQ(Save().shards(0).folder(), kFolder);
}

}  // namespace
}  // namespace downpour
