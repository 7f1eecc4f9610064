// Where on the data's way: guards both ends of the wire with TLS: who is not of the cluster gets nowhere, and
// who is of it only where its role may.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_chunk.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/health.h"
#include "common/rpc/raw_call.h"
#include "common/wire/run_identity.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/replication.pb.h"
#include "proto/shared_memory.grpc.pb.h"
#include "server/service/coordinator_service.h"
#include "server/service/parameter_service.h"
#include "server/service/replication_service.h"
#include "server/service/shared_memory_service.h"
#include "tests/testing/coordinator_cluster.h"
#include "tests/testing/integer_shard.h"
#include "tests/testing/test_authority.h"
#include "worker/transport/grpc_shard_client.h"
#include "worker/transport/grpc_shared_memory_client.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

// A coordinator at one port, and shard 0 at another.
class Tls : public CoordinatorTest {
 protected:
  void SetUp() override {
    Create(SmallRun());
    coordinator_service_ = std::make_unique<CoordinatorService>(coordinator.get(), &clock);
    coordinator_server_ = Listen({coordinator_service_.get()}, authority_.For({"coordinator"}));
    parameters_.Serve(shard_);
    shared_memory_.Serve(shard_);
    replication_.Serve(shard_);
    shard_server_ = Listen({&parameters_, &shared_memory_, &replication_}, authority_.For({"shard/0"}));
  }
  void TearDown() override {
    coordinator_server_.server.reset();
    shard_server_.server.reset();
  }

  static ListeningServer Listen(const std::vector<grpc::Service*>& services,
                                const std::shared_ptr<Credentials>& credentials) {
    absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", services, {credentials});
    EXPECT_TRUE(server.ok()) << server.status();
    return server.ok() ? *std::move(server) : ListeningServer();
  }

  // The status of a call that everybody of the cluster may make.
  absl::Status Ask(const std::shared_ptr<Credentials>& credentials, const std::string& role = "coordinator") {
    return AskThrough(ConnectTo(coordinator_server_.address, {role, credentials}));
  }
  static absl::Status AskThrough(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(DeadlineIn(absl::Seconds(60)));
    RunStatus reply;
    return FromUncancelledCall(
        ClusterCoordinator::NewStub(channel)->GetRunStatus(&context, RunStatusRequest(), &reply));
  }

  template <typename Request, typename Reply>
  absl::Status Call(const std::string& role,
                    grpc::Status (ClusterCoordinator::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                     Reply*),
                    const Request& request) {
    const auto channel = ConnectTo(coordinator_server_.address, {"coordinator", authority_.For({role})});
    grpc::ClientContext context;
    Reply reply;
    return FromGrpcStatus((ClusterCoordinator::NewStub(channel).get()->*method)(&context, request, &reply));
  }
  RegisterShardRequest Registration(uint32_t shard) const {
    RegisterShardRequest request;
    request.set_shard(shard);
    request.set_address("127.0.0.1:7101");
    return request;
  }
  GrpcShardClient::Options ShardOptions(const std::shared_ptr<Credentials>& credentials,
                                        const std::string& expected = "shard/0") const {
    GrpcShardClient::Options options;
    options.address = shard_server_.address;
    options.peer = {expected, credentials};
    options.range = shard_->range();
    options.run = shard_->run();
    options.retry.give_up_after = absl::ZeroDuration();
    return options;
  }

  const TestAuthority authority_;
  std::unique_ptr<CoordinatorService> coordinator_service_;
  ListeningServer coordinator_server_;
  std::shared_ptr<ParameterShard> shard_ = IntegerShard(100);
  ParameterService parameters_{{}};
  SharedMemoryService shared_memory_{{.directory = "/dev/shm"}};
  ReplicationService replication_;
  ListeningServer shard_server_;
};

TEST_F(Tls, WhoHasACertificateOfTheAuthorityIsAnswered) {
  for (const char* role : {"worker", "evaluator", "observer", "shard/0", "shard/9"})
    EXPECT_EQ(Ask(authority_.For({role})), absl::OkStatus()) << role;
  EXPECT_EQ(CheckHealth(coordinator_server_.address, "", absl::Seconds(10), authority_.For({"worker"})),
            absl::OkStatus());
}

TEST_F(Tls, NobodyWithoutTlsOrWithoutACertificateGetsIn) {
  EXPECT_TRUE(absl::IsUnavailable(Ask(nullptr)));
  // With the authority's certificate alone, which is no secret.
  const std::string root = authority_.Issue({"worker"})->ca;
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      root, std::vector<grpc::experimental::IdentityKeyCertPair>()));
  options.watch_root_certs();
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  const absl::Status status = AskThrough(
      grpc::CreateChannel(coordinator_server_.address, grpc::experimental::TlsCredentials(options)));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST_F(Tls, NobodyOfAnotherAuthorityGetsIn) {
  // It believes the cluster's authority, and shows a certificate of its own.
  auto foreign = TestAuthority().Issue({"worker"});
  foreign->ca = authority_.Issue({"worker"})->ca;
  const absl::Status status = Ask(std::make_shared<Credentials>(Security{foreign}));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST_F(Tls, NobodyWhoseCertificateHasExpiredOrIsNotYetValidGetsIn) {
  for (const auto& [from, to] : {std::pair(2019, 2020), std::pair(2098, 2099)}) {
    const auto identity = authority_.Issue({{"downpour://role/worker"}, MiddleOf(from), MiddleOf(to)});
    const absl::Status status = Ask(std::make_shared<Credentials>(Security{identity}));
    EXPECT_TRUE(absl::IsUnavailable(status)) << from << " " << status;
  }
}

TEST_F(Tls, WhoHasNoRoleMayDoNothing) {
  const auto identity = authority_.Issue(TestAuthority::Wanted{{"https://example.org/"}});
  const absl::Status status = Ask(std::make_shared<Credentials>(Security{identity}));
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
}

TEST_F(Tls, AClientTalksOnlyToTheRoleThatItExpects) {
  const absl::Status wrong = Ask(authority_.For({"worker"}), "shard/0");
  EXPECT_TRUE(absl::IsUnavailable(wrong)) << wrong;
  EXPECT_THAT(std::string(wrong.message()), HasSubstr("the role 'coordinator', want 'shard/0'"));
  std::vector<float> parameters(100);
  const auto worker = authority_.For({"worker"});
  EXPECT_TRUE(GrpcShardClient(ShardOptions(worker)).Fetch(absl::MakeSpan(parameters)).ok());
  for (const char* other : {"shard/1", "coordinator"}) {
    EXPECT_TRUE(absl::IsUnavailable(
        GrpcShardClient(ShardOptions(worker, other)).Fetch(absl::MakeSpan(parameters)).status()))
        << other;
  }
  // A server of another authority, with an address that this client was told.
  EXPECT_TRUE(absl::IsUnavailable(GrpcShardClient(ShardOptions(TestAuthority().For({"worker"})))
                                      .Fetch(absl::MakeSpan(parameters))
                                      .status()));
}

TEST_F(Tls, AClientDoesNotTalkToAServerWhoseCertificateHasExpired) {
  const auto expired = authority_.Issue({{"downpour://role/coordinator"}, MiddleOf(2019), MiddleOf(2020)});
  coordinator_server_.server.reset();
  coordinator_server_ =
      Listen({coordinator_service_.get()}, std::make_shared<Credentials>(Security{expired}));
  const absl::Status status = Ask(authority_.For({"worker"}));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST_F(Tls, OverTheWireEachRoleReachesItsMethodsOnly) {
  for (const google::protobuf::FileDescriptor* file :
       {JoinRequest::descriptor()->file(), PushChunk::descriptor()->file(),
        SharedMemoryRequest::descriptor()->file(), FollowRequest::descriptor()->file()}) {
    const bool at_coordinator = file == JoinRequest::descriptor()->file();
    for (const std::string role : {"coordinator", "shard/0", "worker", "evaluator", "observer"}) {
      const std::string& address = at_coordinator ? coordinator_server_.address : shard_server_.address;
      const auto channel = ConnectTo(address, {"", authority_.For({role})});
      ASSERT_TRUE(channel->WaitForConnected(DeadlineIn(absl::Seconds(10))));
      for (int i = 0; i < file->service(0)->method_count(); ++i) {
        const std::string path =
            absl::StrCat("/", file->service(0)->full_name(), "/", file->service(0)->method(i)->name());
        RawCall call(channel, path, absl::Seconds(10));
        call.StartWrite(grpc::ByteBuffer(), /*last=*/true);
        call.Await();
        const absl::Status seen = call.Finish();
        EXPECT_EQ(absl::IsPermissionDenied(seen), !CheckMayCall(Caller({role}), path).ok())
            << role << " " << path << " " << seen;
      }
    }
  }
}

TEST_F(Tls, AServerTakesNoShardButThatOfItsCertificate) {
  EXPECT_TRUE(absl::IsUnavailable(Call("worker", &ClusterCoordinator::Stub::Join, SmallJoin("host"))));
  const auto enroll = &ClusterCoordinator::Stub::RegisterShard;
  const absl::Status other = Call("shard/1", enroll, Registration(0));
  EXPECT_TRUE(absl::IsPermissionDenied(other)) << other;
  EXPECT_THAT(std::string(other.message()), HasSubstr("the role 'shard/1', want 'shard/0'"));
  RegisterShardRequest any = Registration(0);
  any.clear_shard();
  EXPECT_TRUE(absl::IsInvalidArgument(Call("shard/0", enroll, any)));
  EXPECT_EQ(Call("shard/0", enroll, Registration(0)), absl::OkStatus());
  // Nor does it point a shard somewhere else.
  RegisterShardRequest take_over = Registration(0);
  take_over.set_take_over(true);
  take_over.set_address("127.0.0.1:7199");
  EXPECT_TRUE(absl::IsPermissionDenied(Call("shard/1", enroll, take_over)));
}

TEST_F(Tls, OnlyAWorkerBringsTheDataSummary) {
  const auto join = &ClusterCoordinator::Stub::Join;
  EXPECT_TRUE(absl::IsPermissionDenied(Call("evaluator", join, SmallJoin("host"))));
  EXPECT_FALSE(coordinator->Describe({})->has_data());
  EXPECT_TRUE(absl::IsUnavailable(Call("worker", join, SmallJoin("host"))));
  EXPECT_TRUE(coordinator->Describe({})->has_data());
}

TEST_F(Tls, ThroughSharedMemoryAnEvaluatorFetchesAndDoesNotPush) {
  const auto memory = SharedMemoryResource::Create();
  ASSERT_TRUE(memory.ok()) << memory.status();
  const auto client = [&](const char* role) {
    return std::make_unique<SharedMemoryShardClient>(
        SharedMemoryShardClient::Options{ShardOptions(authority_.For({role})), "/dev/shm", memory->get()});
  };
  const auto evaluator = client("evaluator"), worker = client("worker");
  std::vector<float> parameters(100);
  EXPECT_TRUE(evaluator->Fetch(absl::MakeSpan(parameters)).ok());
  EXPECT_TRUE(evaluator->attached());
  const std::vector<float> gradient(100, 1);
  EXPECT_TRUE(absl::IsPermissionDenied(evaluator->Push({1, 1, 1, 0}, gradient).status()));
  EXPECT_EQ(shard_->version(), 0);
  EXPECT_TRUE(worker->Push({1, 1, 1, 0}, gradient).ok());
  EXPECT_TRUE(worker->attached());
  EXPECT_EQ(shard_->version(), 1);
}

TEST_F(Tls, OnlyAServerOfTheShardFollowsIt) {
  const auto follow = [&](const char* role) {
    const auto channel = ConnectTo(shard_server_.address, {"shard/0", authority_.For({role})});
    EXPECT_TRUE(channel->WaitForConnected(DeadlineIn(absl::Seconds(10))));
    RawCall call(channel, "/downpour.ShardReplication/Follow", absl::Seconds(10));
    FollowRequest request;
    FillRunIdentity(shard_->run(), request.mutable_run());
    request.set_server(5);
    call.StartWrite(SerializeMessage(request), /*last=*/false);
    call.Await();
    grpc::ByteBuffer reply;
    call.StartRead(&reply);
    EXPECT_FALSE(call.Await());
    return call.Finish();
  };
  EXPECT_TRUE(absl::IsPermissionDenied(follow("shard/1")));
  EXPECT_TRUE(absl::IsUnavailable(follow("shard/0"))) << "nobody has said that it may";
}

TEST_F(Tls, AServerListensOffLoopbackOnlyWithTlsOrInsecure) {
  CoordinatorService service(coordinator.get(), &clock);
  const absl::Status refused = ListenAt("0.0.0.0:0", {&service}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--insecure"));
  // Only to see that they would; nobody connects.
  EXPECT_TRUE(ListenAt("0.0.0.0:0", {&service}, {authority_.For({"coordinator"})}).ok());
  EXPECT_TRUE(
      ListenAt("0.0.0.0:0", {&service}, {std::make_shared<Credentials>(Security{nullptr, true})}).ok());
}

}  // namespace
}  // namespace downpour
