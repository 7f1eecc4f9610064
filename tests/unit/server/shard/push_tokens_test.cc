// Where on the data's way: inside the shard; a push is its replica's, or it is refused and changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tls/token.h"
#include "tests/testing/integer_shard.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int64_t kSize = 4;

class PushTokens : public ::testing::Test {
 protected:
  void SetUp() override {
    shard_->set_run_secret("secret");
    shard_->set_last_joined(9, 99);
  }
  static std::string TokenOf(uint64_t replica, uint64_t incarnation, const std::string& secret = "secret",
                             const std::string& run = "a run") {
    return ReplicaToken(secret, run, replica, incarnation);
  }
  absl::Status Push(uint64_t replica, uint64_t incarnation, uint64_t sequence, const std::string& token) {
    const std::vector<float> ones(kSize, 1);
    return shard_->ApplyChunk({replica, incarnation, sequence, 0, token}, 1000, ones).status();
  }
  std::vector<float> Parameters() const {
    std::vector<float> parameters(kSize);
    EXPECT_TRUE(shard_->Read(shard_->range(), absl::MakeSpan(parameters)).ok());
    return parameters;
  }

  std::shared_ptr<ParameterShard> shard_ = IntegerShard(kSize);
};

TEST_F(PushTokens, AReplicaPushesWithItsOwn) {
  EXPECT_EQ(Push(1, 5, 1, TokenOf(1, 5)), absl::OkStatus());
  EXPECT_EQ(Push(1, 5, 2, TokenOf(1, 5)), absl::OkStatus());
  EXPECT_EQ(Push(2, 6, 1, TokenOf(2, 6)), absl::OkStatus());
  EXPECT_THAT(Parameters(), Each(-3));
}

TEST_F(PushTokens, NobodyElsesIsTaken) {
  ASSERT_EQ(Push(1, 5, 1, TokenOf(1, 5)), absl::OkStatus());
  const std::vector<std::string> others = {"",                        // none
                                           TokenOf(2, 5),             // another replica's
                                           TokenOf(1, 4),             // of this one before it joined again
                                           TokenOf(1, 5, "secret2"),  // of another cluster
                                           TokenOf(1, 5, "secret", "another run")};
  for (const std::string& other : others) {
    // Beside the replica's own pushes, and before its first one.
    for (const uint64_t replica : {1, 3}) {
      const absl::Status status = Push(replica, 5, 2, other);
      EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("join again"));
    }
  }
  EXPECT_THAT(Parameters(), Each(-1));
  EXPECT_EQ(shard_->Snapshot().header.ledger_size(), 1) << "a stranger takes no place in the ledger";
  EXPECT_EQ(Push(1, 5, 2, TokenOf(1, 5)), absl::OkStatus()) << "and stops nobody";
}

TEST_F(PushTokens, AStrangerDoesNotMakeAReplicaAnOldOne) {
  ASSERT_EQ(Push(1, 5, 1, TokenOf(1, 5)), absl::OkStatus());
  EXPECT_TRUE(absl::IsUnauthenticated(Push(1, 99, 1, TokenOf(1, 5))));
  EXPECT_EQ(Push(1, 5, 2, TokenOf(1, 5)), absl::OkStatus());
}

TEST_F(PushTokens, ATokenThatIsReplayedAfterTheReplicaHasJoinedAgainDoesNothing) {
  ASSERT_EQ(Push(1, 5, 1, TokenOf(1, 5)), absl::OkStatus());
  ASSERT_EQ(Push(1, 6, 1, TokenOf(1, 6)), absl::OkStatus());
  EXPECT_TRUE(absl::IsAborted(Push(1, 5, 2, TokenOf(1, 5))));
  EXPECT_THAT(Parameters(), Each(-2));
}

TEST_F(PushTokens, AStrangerDoesNotEndAPushThatIsUnderWay) {
  const std::vector<float> first(kSize / 2, 1);
  const PushHeader own{1, 5, 1, 0, TokenOf(1, 5)};
  ASSERT_TRUE(shard_->ApplyChunk(own, 1000, first).ok());
  PushHeader stranger = own;
  stranger.token = TokenOf(2, 5);
  EXPECT_TRUE(absl::IsUnauthenticated(shard_->RejectPush(stranger, "no chunk")));
  EXPECT_TRUE(shard_->ApplyChunk(own, 1000 + kSize / 2, first).ok());
  EXPECT_EQ(shard_->version(), 1);
}

TEST_F(PushTokens, WithAnotherSecretTheOldTokensAreNothing) {
  ASSERT_EQ(Push(1, 5, 1, TokenOf(1, 5)), absl::OkStatus());
  shard_->set_run_secret("another");  // the coordinator has lost its checkpoint
  EXPECT_TRUE(absl::IsUnauthenticated(Push(1, 5, 2, TokenOf(1, 5))));
  EXPECT_EQ(Push(1, 6, 1, TokenOf(1, 6, "another")), absl::OkStatus());
}

TEST_F(PushTokens, ASecretThatIsToldAgainChangesNothing) {
  ASSERT_EQ(Push(1, 5, 1, TokenOf(1, 5)), absl::OkStatus());
  shard_->set_run_secret("secret");
  EXPECT_EQ(Push(1, 5, 2, TokenOf(1, 5)), absl::OkStatus());
}

}  // namespace
}  // namespace downpour
