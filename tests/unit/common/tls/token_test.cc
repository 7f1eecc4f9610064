// Where on the data's way: guards common/tls/token.h; nobody's token but a replica's own proves who it is.
#include "common/tls/token.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/escaping.h"

namespace downpour {
namespace {

// Made by another program (Python's hmac) from the same bytes.
TEST(Token, IsTheHmacOfRunAndReplica) {
  EXPECT_EQ(absl::BytesToHexString(ReplicaToken("secret", "run-1", 3, 70)),
            "2cf90ad072d608055f0406b2f368d6dcdeb7fa0369a32ecbb0c11853e299c40d");
}

TEST(Token, DiffersForEachSecretRunReplicaAndIncarnation) {
  const std::set<std::string> tokens = {
      ReplicaToken("secret", "run", 1, 2), ReplicaToken("secret", "run", 2, 1),
      ReplicaToken("secret", "run", 1, 3), ReplicaToken("secret", "run2", 1, 2),
      ReplicaToken("secre", "trun", 1, 2), ReplicaToken("other", "run", 1, 2)};
  EXPECT_EQ(tokens.size(), 6);
}

TEST(Token, OnlyTheWantedOneIsTaken) {
  const std::string wanted = ReplicaToken("secret", "run", 1, 2);
  EXPECT_TRUE(CheckToken(wanted, wanted, 1, 2).ok());
  std::string flipped = wanted;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  for (const std::string& wrong : {std::string(), wanted.substr(1), wanted + "x", flipped}) {
    const absl::Status status = CheckToken(wrong, wanted, 1, 2);
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
    EXPECT_EQ(status.message().find(wanted), std::string::npos) << "it must not be told";
  }
}

TEST(Token, TheRunsSecretIsAnotherEachTime) {
  const auto first = MakeRunSecret(), second = MakeRunSecret();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->size(), 32);
  EXPECT_NE(*first, *second);
}

}  // namespace
}  // namespace downpour
