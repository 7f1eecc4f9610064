// Where on the data's way: at the shard's end of the wire; a service before and after it has its shard, and
// its answers.
#include "server/service/served_shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/testing/integer_shard.h"

namespace downpour {
namespace {

TEST(ServedShardTest, IsUnavailableUntilItIsSet) {
  ServedShard served;
  EXPECT_TRUE(absl::IsUnavailable(served.Get().status()));
  const std::shared_ptr<ParameterShard> shard = IntegerShard(10);
  served.Set(shard);
  ASSERT_TRUE(served.Get().ok());
  EXPECT_EQ(*served.Get(), shard);
}

TEST(ServedShardTest, TooManyNamesTheLimit) {
  const absl::Status status = TooMany("pushes", 256);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("256 pushes under way"));
}

TEST(ServedShardTest, AReplySaysAllOfAnOutcome) {
  PushReply reply;
  FillPushReply({.version = 7, .staleness = 3, .duplicate = true}, &reply);
  EXPECT_EQ(reply.version(), 7);
  EXPECT_EQ(reply.staleness(), 3);
  EXPECT_TRUE(reply.duplicate());
}

}  // namespace
}  // namespace downpour
