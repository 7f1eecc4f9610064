// Where on the data's way: guards server/service/ against peers that open streams and then do not move them.
#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/chunk_codec.h"
#include "common/wire/run_identity.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/service/parameter_service.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/integer_shard.h"
#include "tests/testing/wait_for.h"
#include "worker/transport/grpc_shard_client.h"

namespace downpour {
namespace {

using ::testing::Each;

constexpr int64_t kSize = 2 * kChunkElements;
constexpr int kStreams = 8;  // more than the service has slots for pushes, and as many as for fetches
constexpr absl::Duration kAllowed = absl::Seconds(16);

// A push that a test sends message by message.
struct OpenPush {
  grpc::ClientContext context;
  PushReply reply;
  std::unique_ptr<grpc::ClientWriter<PushChunk>> writer;
};
// A fetch that nobody reads.
struct OpenFetch {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<FetchChunk>> reader;
};

class StalledStreams : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    service_.Serve(shard_);
  }
  void TearDown() override {
    for (const auto& push : pushes_) push->context.TryCancel();
    for (const auto& fetch : fetches_) fetch->context.TryCancel();
    for (const auto& push : pushes_) push->writer->Finish();
    for (const auto& fetch : fetches_) fetch->reader->Finish();
    server_.server.reset();
  }

  std::unique_ptr<ParameterServer::Stub> Stub(int connection) const {
    return ParameterServer::NewStub(ConnectTo(server_.address, {}, connection));
  }
  // Opens pushes on so many connections, and sends no more than their headers, if those.
  void OpenPushes(int connections, bool with_header) {
    for (int i = 0; i < kStreams; ++i) {
      OpenPush& push = *pushes_.emplace_back(std::make_unique<OpenPush>());
      push.writer = Stub(1 + i % connections)->Push(&push.context, &push.reply);
      PushChunk header;
      FillPushIdentity(shard_->run(), Header(100 + i), PushIdentity::FLOAT32, 1, header.mutable_header());
      EXPECT_TRUE(!with_header || push.writer->Write(header));
    }
    ASSERT_TRUE(WaitFor([&] { return service_.pushes() == kStreams; }));
  }
  void OpenFetches(int connections) {
    FetchRequest request;
    FillRunIdentity(shard_->run(), request.mutable_run());
    for (int i = 0; i < kStreams; ++i) {
      OpenFetch& fetch = *fetches_.emplace_back(std::make_unique<OpenFetch>());
      fetch.reader = Stub(1 + i % connections)->Fetch(&fetch.context, request);
    }
    ASSERT_TRUE(WaitFor([&] { return service_.fetches() == kStreams; }));
  }

  static PushHeader Header(uint64_t replica) {
    return {.replica_id = replica, .incarnation = 1, .sequence = 1};
  }
  std::unique_ptr<GrpcShardClient> Client() const {
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.range = shard_->range();
    options.run = shard_->run();
    options.rpc_timeout = absl::Seconds(20);
    options.retry.give_up_after = absl::ZeroDuration();
    return std::make_unique<GrpcShardClient>(options);
  }
  absl::Status Push(uint64_t replica = 1) const {
    return Client()->Push(Header(replica), std::vector<float>(kSize, 1)).status();
  }
  absl::Status Fetch() const {
    std::vector<float> parameters(kSize);
    return Client()->Fetch(absl::MakeSpan(parameters)).status();
  }
  // Lets time pass, and has the service look at its streams, until the condition is true.
  bool TimePassesUntil(const std::function<bool()>& condition) {
    return WaitFor([&] {
      clock_.Advance(kAllowed / 4);
      service_.EndStalledStreams();
      return condition();
    });
  }
  // The answer to the call, which waits for a slot until streams are ended.
  absl::Status WhileTimePasses(const std::function<absl::Status()>& call) {
    absl::Status status;
    std::atomic<bool> answered = false;
    std::thread thread([&] {
      status = call();
      answered = true;
    });
    EXPECT_TRUE(TimePassesUntil([&] { return answered.load(); }));
    thread.join();
    return status;
  }

  FakeClock clock_;
  std::shared_ptr<ParameterShard> shard_ = IntegerShard(kSize);
  ParameterService service_{{.threads = 2, .clock = &clock_}};
  ListeningServer server_;
  std::vector<std::unique_ptr<OpenPush>> pushes_;
  std::vector<std::unique_ptr<OpenFetch>> fetches_;
};

TEST_F(StalledStreams, PushesThatSendNothingTakeNoSlot) {
  OpenPushes(/*connections=*/kStreams, /*with_header=*/false);
  const absl::Status status = Push();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(StalledStreams, PushesThatStallAfterTheirHeadersAreEnded) {
  OpenPushes(/*connections=*/kStreams, /*with_header=*/true);
  const absl::Status status = WhileTimePasses([&] { return Push(); });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(StalledStreams, AStreamIsEndedWhenItsTimeIsOverAndItsPushMayBeMadeAgain) {
  OpenPushes(/*connections=*/1, /*with_header=*/false);
  clock_.Advance(kAllowed);
  service_.EndStalledStreams();
  EXPECT_EQ(service_.pushes(), kStreams) << "its time is not over";
  // A stream is counted a moment before its time begins, so one may be given its time only now.
  ASSERT_TRUE(TimePassesUntil([&] { return service_.pushes() == 0; }));
  for (const auto& push : pushes_) {
    const absl::Status status = FromUncancelledCall(push->writer->Finish());
    EXPECT_TRUE(absl::IsUnavailable(status)) << "a replica tries again then: " << status;
  }
  pushes_.clear();
  EXPECT_TRUE(Push(100).ok());
  EXPECT_TRUE(Push(100).ok());
  std::vector<float> parameters(kSize);
  ASSERT_TRUE(shard_->Read(shard_->range(), absl::MakeSpan(parameters)).ok());
  EXPECT_THAT(parameters, Each(-1));
}

TEST_F(StalledStreams, PushesOfOneConnectionThatStallLeaveSlotsToOthers) {
  OpenPushes(/*connections=*/1, /*with_header=*/true);
  const absl::Status status = Push();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(StalledStreams, FetchesThatNobodyReadsAreEnded) {
  OpenFetches(/*connections=*/kStreams);
  const absl::Status status = WhileTimePasses([&] { return Fetch(); });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(TimePassesUntil([&] { return service_.fetches() == 0; })) << "some began later than others";
}

TEST_F(StalledStreams, FetchesOfOneConnectionThatNobodyReadsLeaveSlotsToOthers) {
  OpenFetches(/*connections=*/1);
  const absl::Status status = Fetch();
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace downpour
