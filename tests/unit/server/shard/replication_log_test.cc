// Where on the data's way: between a shard and its standby; when a push may be acknowledged.
#include "server/shard/replication_log.h"

#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

constexpr uint64_t kFollower = 7, kOther = 8;

class ReplicationLogTest : public ::testing::Test {
 protected:
  void Append(int changes = 1) {
    for (int i = 0; i < changes; ++i) log_.Append(ShardChange(), std::vector<float>{1, 2});
  }
  // A reply that is given, or held back.
  struct Reply {
    bool given = false;
    absl::Status status;
  };
  std::shared_ptr<Reply> Ask() {
    auto reply = std::make_shared<Reply>();
    log_.WhenSafe([reply](const absl::Status& status) { *reply = {true, status}; });
    return reply;
  }
  bool IsGiven() { return Ask()->given; }
  // The follower has the snapshot and everything since, and the coordinator is told so.
  void MakeStandby() {
    log_.Expect(kFollower);
    ASSERT_EQ(log_.Attach(kFollower), absl::OkStatus());
    log_.Applied(kFollower, 0);
    ASSERT_EQ(log_.TakeFollowing().ready, kFollower);
  }

  FakeClock clock_;
  ReplicationLog log_{{.window_bytes = 64, .clock = &clock_}};
};

TEST_F(ReplicationLogTest, NobodyWaitsWhereNobodyFollows) {
  Append();
  EXPECT_TRUE(IsGiven());
  EXPECT_EQ(log_.TakeFollowing().ready, 0);
  EXPECT_EQ(log_.TakeFollowing().lost, 0);
}

TEST_F(ReplicationLogTest, OnlyTheServerThatIsExpectedFollows) {
  EXPECT_TRUE(absl::IsUnavailable(log_.Attach(kFollower)));
  EXPECT_TRUE(absl::IsUnavailable(log_.Attach(0)));
  log_.Expect(kFollower);
  EXPECT_TRUE(absl::IsUnavailable(log_.Attach(kOther)));
  EXPECT_EQ(log_.Attach(kFollower), absl::OkStatus());
  EXPECT_TRUE(absl::IsUnavailable(log_.Attach(kFollower))) << "a second stream";
}

TEST_F(ReplicationLogTest, ChangesAreNumberedAndSentInOrder) {
  log_.Expect(kFollower);
  ASSERT_EQ(log_.Attach(kFollower), absl::OkStatus());
  Append(3);
  for (uint64_t number = 1; number <= 3; ++number) {
    const auto change = log_.Next(kFollower, /*wait=*/true);
    ASSERT_NE(change, nullptr);
    EXPECT_EQ(change->change.number(), number);
    EXPECT_EQ(change->elements().floats(), (std::vector<float>{1, 2}));
  }
  EXPECT_EQ(log_.Next(kFollower, /*wait=*/false), nullptr);
  EXPECT_EQ(log_.Next(kOther, /*wait=*/true), nullptr);
}

TEST_F(ReplicationLogTest, AFollowerThatFillsIsNotWaitedForUntilItHasTheSnapshot) {
  log_.Expect(kFollower);
  ASSERT_EQ(log_.Attach(kFollower), absl::OkStatus());
  Append(2);
  EXPECT_TRUE(IsGiven()) << "this server is alone";
  log_.Applied(kFollower, 0);
  Append();
  const auto reply = Ask();
  EXPECT_FALSE(reply->given);
  log_.Applied(kFollower, 1);
  EXPECT_EQ(log_.TakeFollowing().ready, 0) << "push 2 was acknowledged without it";
  log_.Applied(kFollower, 2);
  EXPECT_EQ(log_.TakeFollowing().ready, kFollower);
  EXPECT_FALSE(reply->given);
  log_.Applied(kFollower, 3);
  EXPECT_TRUE(reply->given);
  EXPECT_EQ(reply->status, absl::OkStatus());
}

TEST_F(ReplicationLogTest, AFollowerThatTheCoordinatorHasNotHeardOfIsLetGo) {
  log_.Expect(kFollower);
  ASSERT_EQ(log_.Attach(kFollower), absl::OkStatus());
  log_.Applied(kFollower, 0);
  Append();
  const auto reply = Ask();
  log_.Detach(kFollower);
  EXPECT_TRUE(reply->given);
  EXPECT_EQ(reply->status, absl::OkStatus());
  EXPECT_EQ(log_.TakeFollowing().lost, 0);
  EXPECT_EQ(log_.Attach(kFollower), absl::OkStatus());
}

TEST_F(ReplicationLogTest, WithoutItsStandbyNothingIsAcknowledgedUntilTheCoordinatorSaysWhoGoesOn) {
  MakeStandby();
  Append();
  const auto before = Ask();
  log_.Detach(kFollower);
  EXPECT_TRUE(absl::IsUnavailable(before->status));
  EXPECT_TRUE(absl::IsUnavailable(Ask()->status));
  EXPECT_EQ(log_.TakeFollowing().lost, kFollower);
  log_.Expect(kOther);
  EXPECT_TRUE(absl::IsUnavailable(log_.Attach(kOther))) << "its snapshot might become the standby's";
  log_.GoAlone();
  EXPECT_EQ(Ask()->status, absl::OkStatus());
  EXPECT_EQ(log_.TakeFollowing().lost, 0);
  EXPECT_EQ(log_.Attach(kOther), absl::OkStatus());
}

TEST_F(ReplicationLogTest, AStandbyThatAppliesNothingIsTakenForGone) {
  MakeStandby();
  clock_.Advance(absl::Hours(1));
  log_.DetachIfSilent();
  EXPECT_TRUE(log_.IsAttached(kFollower)) << "it had nothing to do";
  Append();
  clock_.Advance(absl::Seconds(4));
  log_.DetachIfSilent();
  EXPECT_TRUE(log_.IsAttached(kFollower));
  clock_.Advance(absl::Seconds(2));
  log_.DetachIfSilent();
  EXPECT_FALSE(log_.IsAttached(kFollower));
  EXPECT_EQ(log_.TakeFollowing().lost, kFollower);
}

TEST_F(ReplicationLogTest, AFollowerThatTakesPiecesOfTheSnapshotIsNotSilent) {
  log_.Expect(kFollower);
  ASSERT_EQ(log_.Attach(kFollower), absl::OkStatus());
  Append();
  for (int piece = 0; piece < 5; ++piece) {
    clock_.Advance(absl::Seconds(4));
    log_.TookPiece(kFollower);
    log_.DetachIfSilent();
  }
  EXPECT_TRUE(log_.IsAttached(kFollower));
  clock_.Advance(absl::Seconds(6));
  log_.DetachIfSilent();
  EXPECT_FALSE(log_.IsAttached(kFollower));
}

TEST_F(ReplicationLogTest, AClosedLogAcknowledgesNothing) {
  MakeStandby();
  const auto before = Ask();
  Append();
  const auto held = Ask();
  log_.Close();
  EXPECT_EQ(before->status, absl::OkStatus());
  EXPECT_TRUE(absl::IsUnavailable(held->status));
  EXPECT_TRUE(absl::IsUnavailable(log_.AwaitSafe()));
  log_.Applied(kFollower, 1);
  EXPECT_TRUE(absl::IsUnavailable(Ask()->status));
}

TEST_F(ReplicationLogTest, NumbersThatTheFollowerCannotHaveAppliedChangeNothing) {
  MakeStandby();
  Append();
  const auto reply = Ask();
  log_.Applied(kFollower, 2);
  log_.Applied(kOther, 1);
  EXPECT_FALSE(reply->given);
  log_.Applied(kFollower, 1);
  EXPECT_TRUE(reply->given);
}

}  // namespace
}  // namespace downpour
