// Where on the data's way: common/program, before a connection; which addresses are taken.
#include "common/program/host_port.h"

#include <gtest/gtest.h>

namespace downpour {
namespace {

TEST(HostPort, TakesNamesAndAddresses) {
  EXPECT_EQ(ParseHostPort("shard-0.example:7200")->host, "shard-0.example");
  EXPECT_EQ(ParseHostPort("127.0.0.1:0")->port, 0);
  EXPECT_EQ(ParseHostPort("[::1]:65535")->host, "::1");
  EXPECT_EQ(ParseHostPort("[::1]:65535")->HostInUrl(), "[::1]");
}

TEST(HostPort, RefusesWhatIsNoHostAndPort) {
  for (const char* address : {"", ":", "host", "host:", ":7100", "host:65536", "host:-1", "host:7100x",
                              "::1:7100", "unix:/tmp/socket", "a b:1", "[]:1", "[g]:1", "host:1\n"}) {
    const absl::Status status = ParseHostPort(address).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_NE(status.message().find("want host:port"), absl::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace downpour
