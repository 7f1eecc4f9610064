// Where on the data's way: the coordinator; who follows a shard's primary, and who takes its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/coordinator/shard_views.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

using Role = RegisterShardReply::Role;

// A server: its address, folder and number.
struct Server {
  std::string address;
  uint64_t folder, number;
};
const Server kA{"a:1", 0xa, 1}, kB{"b:1", 0xb, 2}, kC{"c:1", 0xc, 3};

class ShardStandbys : public ::testing::Test {
 protected:
  static RegisterShardRequest Start(const Server& server) {
    RegisterShardRequest request;
    request.set_shard(0);
    request.set_address(server.address);
    request.set_folder(server.folder);
    request.set_server(server.number);
    return request;
  }
  static RegisterShardRequest CallOf(const Server& server, uint64_t view, bool follows = false) {
    RegisterShardRequest request = Start(server);
    request.set_view(view);
    request.set_follows(follows);
    return request;
  }
  static RegisterShardRequest Ready(const Server& primary, uint64_t view, const Server& follower) {
    RegisterShardRequest request = CallOf(primary, view);
    request.set_ready(follower.number);
    return request;
  }
  static RegisterShardRequest Lost(const Server& primary, uint64_t view, const Server& standby) {
    RegisterShardRequest request = CallOf(primary, view);
    request.set_lost(standby.number);
    return request;
  }
  ShardViews::Registered Register(const RegisterShardRequest& request) {
    const auto registered = views_.Register(request, now_);
    EXPECT_TRUE(registered.ok()) << registered.status();
    return registered.value_or(ShardViews::Registered());
  }
  absl::StatusCode CodeOf(const RegisterShardRequest& request) {
    return views_.Register(request, now_).status().code();
  }
  // The server takes another number, and is a follower then.
  Server GiveUp(const Server& server, uint64_t number) {
    RegisterShardRequest request = CallOf(server, 1, true);
    request.set_server(number);
    request.set_gives_up(server.number);
    EXPECT_EQ(Register(request).role, RegisterShardReply::FOLLOWER);
    return {server.address, server.folder, number};
  }
  // View 2: a is the primary, b the standby.
  void MakeStandby() {
    EXPECT_EQ(Register(Start(kA)).role, RegisterShardReply::PRIMARY);
    EXPECT_EQ(Register(Start(kB)).role, RegisterShardReply::FOLLOWER);
    EXPECT_EQ(Register(CallOf(kA, 1)).follower, kB.number);
    EXPECT_EQ(Register(Ready(kA, 1, kB)).shard.standby_server(), kB.number);
  }
  // The coordinator's disk and a restart from it.
  CoordinatorCheckpoint Save() const {
    CoordinatorCheckpoint checkpoint;
    views_.Save(&checkpoint);
    return checkpoint;
  }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  ShardViews views_{1, /*checkpointed=*/false, /*standbys=*/1};
};

TEST_F(ShardStandbys, AFollowerBecomesStandbyByItsPrimarysWord) {
  MakeStandby();
  EXPECT_EQ(Register(CallOf(kB, 1, true)).role, RegisterShardReply::STANDBY);
  EXPECT_EQ(Register(CallOf(kA, 1)).shard.view(), 2);
  EXPECT_EQ(views_.StandbyOf(0, now_), kB.address);
}

TEST_F(ShardStandbys, ThePrimarysWordCountsOnlyInTheViewInWhichItWasSaid) {
  MakeStandby();
  EXPECT_EQ(Register(Lost(kA, 2, kB)).shard.view(), 3);
  EXPECT_EQ(Register(Lost(kA, 2, kB)).shard.view(), 3) << "it comes late";
  Register(CallOf(kA, 3));  // it has heard that it is alone
  const Server again = GiveUp(kB, 20);
  EXPECT_EQ(Register(Ready(kA, 2, again)).shard.standby_server(), 0) << "so does this";
  EXPECT_EQ(Register(Ready(kA, 3, again)).shard.standby_server(), 20);
}

TEST_F(ShardStandbys, TheStandbyTakesThePlaceOfASilentPrimary) {
  MakeStandby();
  now_ += ShardViews::kSilent - absl::Seconds(1);
  EXPECT_EQ(Register(CallOf(kB, 2, true)).role, RegisterShardReply::STANDBY);
  now_ += absl::Seconds(1);
  const auto promoted = Register(CallOf(kB, 2, true));
  EXPECT_EQ(promoted.role, RegisterShardReply::PRIMARY);
  EXPECT_EQ(promoted.shard.view(), 3);
  EXPECT_EQ(promoted.shard.address(), kB.address);
  EXPECT_EQ(CodeOf(CallOf(kA, 2)), absl::StatusCode::kFailedPrecondition) << "it must stop";
  Server again = kA;
  again.number = 10;
  EXPECT_EQ(Register(CallOf(again, 0, true)).role, RegisterShardReply::FOLLOWER);
  EXPECT_EQ(Register(CallOf(kB, 3)).follower, 10);
}

TEST_F(ShardStandbys, AFollowerThatIsNoStandbyNeverTakesAPrimarysPlace) {
  Register(Start(kA));
  Register(Start(kB));
  now_ += absl::Hours(1);
  EXPECT_EQ(Register(CallOf(kB, 1, true)).role, RegisterShardReply::FOLLOWER);
}

TEST_F(ShardStandbys, APrimaryThatComesBackWithAnOldCheckpointWaitsForTheStandby) {
  MakeStandby();
  Server restarted = kA;
  restarted.number = 10;
  const absl::Status waits = views_.Register(Start(restarted), now_).status();
  EXPECT_TRUE(absl::IsUnavailable(waits));
  EXPECT_THAT(std::string(waits.message()), HasSubstr("its standby at 'b:1' has all that was acknowledged"));
  EXPECT_EQ(Register(CallOf(kB, 2, true)).role, RegisterShardReply::PRIMARY) << "at once";
  EXPECT_EQ(Register(Start(restarted)).role, RegisterShardReply::FOLLOWER);
}

TEST_F(ShardStandbys, ItGoesOnWithItsCheckpointWhereTheStandbyIsProvenDeadOrGivenUp) {
  MakeStandby();
  Server primary = kA, standby = kB;
  primary.number = 10;
  standby.number = 20;
  now_ += absl::Hours(1);
  EXPECT_EQ(CodeOf(Start(primary)), absl::StatusCode::kUnavailable);
  const CoordinatorCheckpoint checkpoint = Save();
  EXPECT_EQ(Register(Start(standby)).role, RegisterShardReply::FOLLOWER) << "another process has its folder";
  EXPECT_EQ(Register(Start(primary)).role, RegisterShardReply::PRIMARY);

  ASSERT_EQ(views_.Load(checkpoint, now_), absl::OkStatus());
  RegisterShardRequest take_over = Start(primary);
  take_over.set_take_over(true);
  EXPECT_EQ(Register(take_over).role, RegisterShardReply::PRIMARY);
}

TEST_F(ShardStandbys, AStandbyKeepsItsStateUntilThePrimaryHasHeardThatItIsAlone) {
  views_ = ShardViews(1, /*checkpointed=*/true, 1);
  const auto write = [this] { views_.Written(Save()); };
  EXPECT_EQ(CodeOf(Start(kA)), absl::StatusCode::kUnavailable) << "view 1 is not on disk";
  write();
  Register(Start(kA));
  Register(Start(kB));
  EXPECT_EQ(CodeOf(Ready(kA, 1, kB)), absl::StatusCode::kUnavailable);
  write();
  Register(CallOf(kA, 1));
  EXPECT_EQ(CodeOf(Lost(kA, 2, kB)), absl::StatusCode::kUnavailable);
  write();
  // The primary dies before it hears of it.
  RegisterShardRequest gives_up = CallOf(kB, 2, true);
  gives_up.set_server(20);
  gives_up.set_gives_up(kB.number);
  EXPECT_EQ(Register(gives_up).role, RegisterShardReply::STANDBY);
  now_ += ShardViews::kSilent;
  EXPECT_EQ(CodeOf(CallOf(kB, 2, true)), absl::StatusCode::kUnavailable) << "view 4 is not on disk";
  write();
  EXPECT_EQ(Register(CallOf(kB, 2, true)).role, RegisterShardReply::PRIMARY);
}

TEST_F(ShardStandbys, APrimaryThatMayHaveHeardThatItIsAloneIsReplacedOnlyIfItIsProvenDead) {
  MakeStandby();
  Register(Lost(kA, 2, kB));
  ASSERT_EQ(views_.Load(Save(), now_), absl::OkStatus());
  now_ += absl::Hours(1);
  EXPECT_EQ(Register(CallOf(kB, 2, true)).role, RegisterShardReply::STANDBY) << "it may acknowledge alone";
  EXPECT_EQ(views_.StandbyOf(0, now_), "");
  EXPECT_EQ(CodeOf(Start({"a:2", kA.folder, 10})), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Register(CallOf(kB, 2, true)).role, RegisterShardReply::PRIMARY);
}

TEST_F(ShardStandbys, AStandbyThatThePrimaryHasLeftBehindFollowsItAgain) {
  MakeStandby();
  Register(Lost(kA, 2, kB));
  RegisterShardRequest gives_up = CallOf(kB, 2, true);
  gives_up.set_server(20);
  gives_up.set_gives_up(kB.number);
  EXPECT_EQ(Register(gives_up).role, RegisterShardReply::STANDBY) << "the primary may not have heard of it";
  Register(CallOf(kA, 3));  // so it has heard of it
  EXPECT_EQ(Register(CallOf(kB, 2, true)).role, RegisterShardReply::FOLLOWER);
  EXPECT_EQ(Register(Start({"a:2", kA.folder, 10})).role, RegisterShardReply::PRIMARY)
      << "with its checkpoint";
}

TEST_F(ShardStandbys, AServerGivesUpItsStateUnlessItIsTheStandbys) {
  Register(Start(kA));
  Register(Start(kB));
  const Server again = GiveUp(kB, 20);
  EXPECT_EQ(Register(Ready(kA, 1, kB)).shard.standby_server(), 0) << "its number stands for nothing any more";
  EXPECT_EQ(Register(Ready(kA, 1, again)).shard.standby_server(), 20);
  RegisterShardRequest gives_up = CallOf(kB, 1, true);
  gives_up.set_server(21);
  gives_up.set_gives_up(20);
  EXPECT_EQ(Register(gives_up).role, RegisterShardReply::STANDBY);
}

TEST_F(ShardStandbys, AThirdServerIsNotNeeded) {
  MakeStandby();
  EXPECT_EQ(CodeOf(Start(kC)), absl::StatusCode::kFailedPrecondition);
  Register(CallOf(kA, 2));
  now_ += ShardViews::kSilent;
  Register(CallOf(kA, 2));
  EXPECT_EQ(Register(Start(kC)).role, RegisterShardReply::FOLLOWER) << "the standby is silent";
  EXPECT_EQ(views_.StandbyOf(0, now_), "");
}

TEST_F(ShardStandbys, APrimaryThatIsToStopDoesNotTakeTheShardBackFromTheServerThatTakesOver) {
  Register(Start(kA));
  RegisterShardRequest take_over = Start(kC);
  take_over.set_take_over(true);
  RegisterShardRequest again = Start({kA.address, kA.folder, 10});
  again.set_follows(true);  // as a primary calls that has stopped for another
  EXPECT_EQ(CodeOf(take_over), absl::StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(CallOf(kA, 1)), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(again), absl::StatusCode::kUnavailable);
  now_ += ShardViews::kSilent;
  EXPECT_EQ(Register(take_over).role, RegisterShardReply::PRIMARY);
  EXPECT_EQ(Register(again).role, RegisterShardReply::FOLLOWER);

  RegisterShardRequest late = Start(kB);
  late.set_take_over(true);
  EXPECT_EQ(CodeOf(late), absl::StatusCode::kUnavailable);
  now_ += ShardViews::kSilent;  // that one is gone
  RegisterShardRequest back = Start({kC.address, kC.folder, 30});
  back.set_follows(true);
  EXPECT_EQ(Register(back).role, RegisterShardReply::PRIMARY);
}

TEST_F(ShardStandbys, AServerWithThePrimarysFolderButNotItsLockIsRefused) {
  Register(Start(kA));
  RegisterShardRequest second = Start({"a:2", kA.folder, 10});
  second.clear_shard();
  const absl::Status refused = views_.Register(second, now_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("want another for a standby"));
}

TEST_F(ShardStandbys, WhoeverMayOnlyFollowWaitsForAPrimary) {
  RegisterShardRequest standby = Start(kB);
  standby.set_follows(true);
  EXPECT_EQ(CodeOf(standby), absl::StatusCode::kUnavailable);
  Register(Start(kA));
  standby.clear_shard();
  EXPECT_EQ(Register(standby).role, RegisterShardReply::FOLLOWER) << "it needs no index";
  RegisterShardRequest nameless = standby;
  nameless.clear_server();
  EXPECT_EQ(CodeOf(nameless), absl::StatusCode::kInvalidArgument);
}

TEST_F(ShardStandbys, ARestoredCoordinatorKnowsTheStandby) {
  MakeStandby();
  const CoordinatorCheckpoint checkpoint = Save();
  views_ = ShardViews(1, false, 1);
  ASSERT_EQ(views_.Load(checkpoint, now_), absl::OkStatus());
  EXPECT_EQ(Register(CallOf(kA, 2)).shard.standby_server(), kB.number);
  now_ += ShardViews::kSilent;
  EXPECT_EQ(Register(CallOf(kB, 2, true)).role, RegisterShardReply::PRIMARY);
}

}  // namespace
}  // namespace downpour
