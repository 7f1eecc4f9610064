// Where on the data's way: guards the coordinator's end of the wire against processes that are not what they
// say: the run goes on as if they were not there, and the memory stays within bounds.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "proto/coordinator.grpc.pb.h"
#include "server/service/coordinator_service.h"
#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

int64_t MostMemoryBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{1024} * usage.ru_maxrss;
}

class HostileRequests : public CoordinatorTest {
 protected:
  void SetUp() override {
    Create(SmallRun());
    service_ = std::make_unique<CoordinatorService>(coordinator.get(), &clock);
    absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {service_.get()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = ClusterCoordinator::NewStub(ConnectTo(server_.address));
  }
  void TearDown() override { server_.server.reset(); }

  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(grpc::Status (ClusterCoordinator::Stub::*method)(grpc::ClientContext*,
                                                                              const Request&, Reply*),
                             const Request& request) {
    grpc::ClientContext context;
    Reply reply;
    const absl::Status status = FromGrpcStatus((stub_.get()->*method)(&context, request, &reply));
    if (!status.ok()) return status;
    return reply;
  }
  absl::StatusOr<RegisterShardReply> Register(uint32_t shard, const std::string& address) {
    RegisterShardRequest request;
    request.set_shard(shard);
    request.set_address(address);
    return Call(&ClusterCoordinator::Stub::RegisterShard, request);
  }
  absl::StatusOr<JoinReply> JoinAs(const std::string& host) {
    return Call(&ClusterCoordinator::Stub::Join, SmallJoin(host));
  }
  void StartRun() {
    EXPECT_TRUE(absl::IsUnavailable(JoinAs("host").status()));
    for (uint32_t shard : {0, 1}) ASSERT_TRUE(Register(shard, absl::StrCat("127.0.0.1:710", shard)).ok());
  }

  std::unique_ptr<CoordinatorService> service_;
  ListeningServer server_;
  std::unique_ptr<ClusterCoordinator::Stub> stub_;
};

TEST_F(HostileRequests, AnEvaluatorThatComesFirstDoesNotFixTheLayout) {
  JoinRequest stranger = SmallJoin("stranger");
  stranger.mutable_data()->set_classes(1 << 20);
  stranger.mutable_data()->set_input_dim(1 << 20);
  stranger.set_evaluator(true);
  EXPECT_TRUE(absl::IsUnavailable(Call(&ClusterCoordinator::Stub::Join, stranger).status()));
  StartRun();
  EXPECT_TRUE(JoinAs("host").ok());
}

TEST_F(HostileRequests, OneReportDoesNotEndTheRun) {
  StartRun();
  FakeReplica stranger(JoinAs("stranger").value());
  stranger.AddMinibatch().set_report(1);
  stranger.report.set_pushes_applied(int64_t{1} << 50);
  EXPECT_TRUE(absl::IsInvalidArgument(Call(&ClusterCoordinator::Stub::Report, stranger.report).status()));
  EXPECT_EQ(Status().updates(), 0);
}

TEST_F(HostileRequests, LongHostNamesAndManyValuesOfStalenessCostNoMemory) {
  StartRun();
  FakeReplica stranger(JoinAs("stranger").value());
  const int64_t before = MostMemoryBytes();
  const std::string long_name(3'900'000, 'h');
  for (int join = 0; join < 40; ++join) EXPECT_TRUE(absl::IsInvalidArgument(JoinAs(long_name).status()));
  stranger.report.set_report(1);
  for (uint64_t value = 0; value < 700'000; ++value) stranger.report.add_staleness(value << 14 | 1);
  for (int report = 0; report < 4; ++report)
    EXPECT_TRUE(absl::IsInvalidArgument(Call(&ClusterCoordinator::Stub::Report, stranger.report).status()));
  EXPECT_LT(MostMemoryBytes() - before, int64_t{64} << 20);
  EXPECT_EQ(Status().live_replicas(), 1);
}

TEST_F(HostileRequests, AShardsAddressIsHostAndPortAndNothingElse) {
  StartRun();
  for (const char* address :
       {"", "host", "host:", "host:0", "host:65536", ":7100", "a:1'\nforged line", "unix:/tmp/socket:1",
        "dns:///host:1", "a b:1", "[]:1", "[::1:1", "[host]:1", "host:-1", "a,b:1"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Register(0, address).status())) << address;
  }
  EXPECT_EQ(JoinAs("host")->shards(0).address(), "127.0.0.1:7100");
  for (const char* address : {"10.0.0.1:1", "[::1]:65535", "shard-0.downpour_net:7100"})
    EXPECT_TRUE(Register(0, address).ok()) << address;
}

TEST_F(HostileRequests, AnAnswersControlCharactersDoNotReachTheLog) {
  StartRun();
  JoinRequest request = SmallJoin("host");
  request.set_run_id("run-1'\nforged line");
  const absl::Status status = Call(&ClusterCoordinator::Stub::Join, request).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(R"(run-1'\nforged)"));
}

}  // namespace
}  // namespace downpour
