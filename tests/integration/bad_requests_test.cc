// Where on the data's way: guards server/service/ against senders that do not keep to the protocol, and
// against too many of them.
#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/grpc_chunk.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/chunk_codec.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/service/parameter_service.h"
#include "tests/testing/child_process.h"
#include "tests/testing/integer_shard.h"
#include "worker/transport/grpc_shard_client.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int64_t kSize = kChunkElements + 100;  // keys [1000, 1000 + kSize)

// Sends with an ordinary protobuf client of the service, as a program in another language would.
class BadRequests : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = ConnectTo(server_.address);
    stub_ = ParameterServer::NewStub(channel_);
    service_.Serve(shard_);
  }
  void TearDown() override { server_.server.reset(); }

  PushChunk Chunk(int64_t begin, int64_t elements, float value = 1) const {
    const std::vector<float> gradient(elements, value);
    PushChunk chunk;
    chunk.set_begin(begin);
    chunk.set_gradient(gradient.data(), gradient.size() * sizeof(float));
    return chunk;
  }
  PushChunk First(int64_t begin, int64_t elements, uint64_t sequence = 1) const {
    PushChunk chunk = Chunk(begin, elements);
    PushIdentity* header = chunk.mutable_header();
    header->mutable_run()->set_run_id(shard_->run().run_id);
    header->mutable_run()->set_layout_fingerprint(shard_->run().layout_fingerprint);
    header->set_replica_id(1);
    header->set_incarnation(1);
    header->set_sequence(sequence);
    return chunk;
  }
  absl::Status Push(const std::vector<PushChunk>& chunks) const {
    grpc::ClientContext context;
    PushReply reply;
    const std::unique_ptr<grpc::ClientWriter<PushChunk>> writer = stub_->Push(&context, &reply);
    for (const PushChunk& chunk : chunks) {
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    return FromGrpcStatus(writer->Finish());
  }
  absl::Status SendBytes(const std::string& method, const std::string& bytes,
                         grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) const {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_compression_algorithm(compression);
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes.data(), bytes.size(), grpc::Slice::STATIC_SLICE);  // not copied
    const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return FromGrpcStatus(status);
  }
  std::vector<float> Parameters() const {
    std::vector<float> parameters(kSize);
    EXPECT_TRUE(shard_->Read(shard_->range(), absl::MakeSpan(parameters)).ok());
    return parameters;
  }
  void ExpectUntouched() const {
    EXPECT_THAT(Parameters(), Each(0));
    EXPECT_EQ(shard_->version(), 0);
  }
  std::unique_ptr<GrpcShardClient> Client() const {
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.range = shard_->range();
    options.run = shard_->run();
    return std::make_unique<GrpcShardClient>(options);
  }

  std::shared_ptr<ParameterShard> shard_ = IntegerShard(kSize);
  ParameterService service_{{.max_pushes = 1, .max_fetches = 1}};
  ListeningServer server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<ParameterServer::Stub> stub_;
};

TEST_F(BadRequests, AnOrdinaryProtobufClientIsServed) {
  ASSERT_TRUE(
      Push({First(1000, 70), Chunk(1070, kChunkElements - 3), Chunk(1067 + kChunkElements, 33)}).ok());
  grpc::ClientContext context;
  FetchRequest request;
  *request.mutable_run() = First(0, 1).header().run();
  const std::unique_ptr<grpc::ClientReader<FetchChunk>> reader = stub_->Fetch(&context, request);
  FetchChunk chunk;
  uint64_t next = 1000;
  while (reader->Read(&chunk)) {
    EXPECT_EQ(chunk.begin(), next);
    EXPECT_EQ(chunk.version(), next == 1000 ? 1 : 0);
    next += chunk.parameters().size() / sizeof(float);
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(next, 1000 + kSize);
}

TEST_F(BadRequests, ATensorOfWrongLength) {
  PushChunk chunk = First(1000, 10);
  chunk.set_gradient("1234567");
  const absl::Status status = Push({chunk});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("7 bytes"));
  EXPECT_TRUE(absl::IsInvalidArgument(Push({First(1000, 0)})));
  EXPECT_TRUE(absl::IsInvalidArgument(Push({First(1000, kChunkElements + 1)})));
  ExpectUntouched();
}

TEST_F(BadRequests, AChunkOutsideTheRange) {
  for (const int64_t begin : {int64_t{0}, int64_t{999}, 1000 + kSize - 9, 1000 + kSize, int64_t{-1},
                              std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    const absl::Status status = Push({First(begin, 10)});
    EXPECT_TRUE(absl::IsOutOfRange(status)) << begin << " " << status;
  }
  ExpectUntouched();
}

TEST_F(BadRequests, AGap) {
  const absl::Status status = Push({First(1000, 10), Chunk(1011, 10)});
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("1010"));
  EXPECT_EQ(shard_->version(), 0);
}

TEST_F(BadRequests, AnotherRunOrLayout) {
  PushChunk chunk = First(1000, 10);
  chunk.mutable_header()->mutable_run()->set_run_id("other");
  EXPECT_TRUE(absl::IsFailedPrecondition(Push({chunk})));
  chunk = First(1000, 10);
  chunk.mutable_header()->mutable_run()->set_layout_fingerprint(1);
  EXPECT_TRUE(absl::IsFailedPrecondition(Push({chunk})));
  ExpectUntouched();
}

TEST_F(BadRequests, NoHeaderOrTwo) {
  EXPECT_TRUE(absl::IsInvalidArgument(Push({})));
  EXPECT_TRUE(absl::IsInvalidArgument(Push({Chunk(1000, 10)})));
  ExpectUntouched();
  EXPECT_EQ(shard_->Status().pushes_rejected(), 0);  // without a header it is nobody's push
  EXPECT_TRUE(absl::IsInvalidArgument(Push({First(1000, 10), First(1010, 10)})));
  EXPECT_EQ(shard_->Status().pushes_rejected(), 1);
}

TEST_F(BadRequests, APushIsRejectedFromAMalformedChunkOn) {
  PushChunk bad = Chunk(1010, 1);
  bad.set_gradient("1234567");
  EXPECT_TRUE(absl::IsInvalidArgument(Push({First(1000, 10), bad})));
  EXPECT_EQ(shard_->Status().pushes_rejected(), 1);
  EXPECT_THAT(Push({First(1000, 10)}).message(), HasSubstr("was rejected before"));
}

// `packed` is one block of two elements, each of which is one of any two values.
TEST_F(BadRequests, PackedElementsThatAreNone) {
  const std::string packed("\2\0\0\0\1\x80\x3f\0\x40\2", 10);
  PushChunk chunk = First(1000, 0);
  chunk.mutable_header()->set_elements(PushIdentity::PACKED);
  chunk.set_gradient(packed.substr(0, 9));
  const absl::Status status = Push({chunk});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("packed gradient"));
  chunk.mutable_header()->set_elements(static_cast<PushIdentity::Elements>(7));
  EXPECT_THAT(Push({chunk}).message(), HasSubstr("elements of kind 7, want 0 to 2"));
  ExpectUntouched();
  chunk = First(1000, 0, /*sequence=*/2);
  chunk.mutable_header()->set_elements(PushIdentity::PACKED);
  chunk.set_gradient(packed);
  EXPECT_THAT(Push({chunk}).message(), HasSubstr("1002")) << "taken, but ended early";
}

TEST_F(BadRequests, PlanesOutOfOrder) {
  OptimizerDescription rule;
  rule.set_kind(OptimizerDescription::DIAGONAL_HESSIAN);
  const auto shard = IntegerShard(kSize, {.optimizer = rule});
  service_.Serve(shard);
  const auto header = [&](uint64_t sequence, uint32_t planes) {
    PushChunk chunk = First(1000, 0, sequence);
    chunk.clear_gradient();
    chunk.mutable_header()->set_planes(planes);
    return chunk;
  };
  const auto chunk = [&](uint32_t plane, int64_t begin, int64_t elements) {
    PushChunk of_plane = Chunk(begin, elements);
    of_plane.set_plane(plane);
    return of_plane;
  };
  EXPECT_THAT(Push({header(1, 7)}).message(), HasSubstr("7 planes, want 1 to 3"));
  EXPECT_THAT(Push({header(2, 1), chunk(1, 1000, 10)}).message(),
              HasSubstr("plane 1 from key 1000, want plane 0"));
  EXPECT_THAT(Push({header(3, 2), chunk(0, 1000, 10)}).message(),
              HasSubstr("plane 0 from key 1000, want plane 1"));
  EXPECT_THAT(Push({header(4, 2), chunk(1, 1000, 10), chunk(1, 1000, 10)}).message(),
              HasSubstr("want plane 0"));
  EXPECT_THAT(Push({header(5, 2), chunk(1, 1000, 10), chunk(0, 1010, 10)}).message(),
              HasSubstr("plane 0 from key 1010, want plane 0 from key 1000"));
  const absl::Status more_keys = Push({header(6, 2), chunk(1, 1000, 10), chunk(0, 1000, 11)});
  EXPECT_TRUE(absl::IsFailedPrecondition(more_keys)) << more_keys;
  PushChunk with_elements = First(1000, 10, /*sequence=*/7);
  with_elements.mutable_header()->set_planes(2);
  EXPECT_THAT(Push({with_elements}).message(), HasSubstr("elements with the header"));
  EXPECT_EQ(shard->version(), 0);
  // All slots are free again: a whole push goes through.
  const std::vector<float> plane(kSize, 1);
  PushPlanes planes(plane);
  planes.Add(plane);
  EXPECT_TRUE(Client()->Push({.replica_id = 2, .incarnation = 1, .sequence = 1}, planes).ok());
  EXPECT_EQ(shard->version(), 1);
}

TEST_F(BadRequests, SamplesOfElements) {
  const auto sample = [&](std::vector<uint64_t> keys, uint64_t every) -> absl::StatusOr<SampleReply> {
    grpc::ClientContext context;
    SampleRequest request;
    *request.mutable_run() = First(0, 1).header().run();
    request.mutable_key()->Add(keys.begin(), keys.end());
    request.set_every_updates(every);
    SampleReply reply;
    const absl::Status status = FromGrpcStatus(stub_->SampleElements(&context, request, &reply));
    if (!status.ok()) return status;
    return reply;
  };
  EXPECT_TRUE(absl::IsInvalidArgument(sample({}, 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(sample({1000}, 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(sample(std::vector<uint64_t>(4097, 1000), 1).status()));
  EXPECT_TRUE(absl::IsOutOfRange(sample({999}, 1).status()));
  EXPECT_TRUE(absl::IsOutOfRange(sample({1000 + kSize}, 1).status()));
  EXPECT_TRUE(absl::IsOutOfRange(sample({std::numeric_limits<uint64_t>::max()}, 1).status()));
  EXPECT_EQ(sample({1000, 1000 + kSize - 1}, 2)->sample_size(), 0);
  for (uint64_t sequence = 1; sequence <= 2; ++sequence)
    ASSERT_TRUE(Client()->Push({1, 1, sequence, 0}, std::vector<float>(kSize, 3)).ok());
  const absl::StatusOr<SampleReply> reply = sample({1000, 1000 + kSize - 1}, 2);
  ASSERT_TRUE(reply.ok()) << reply.status();
  ASSERT_EQ(reply->sample_size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(reply->sample(i).update(), 2);
    EXPECT_EQ(reply->sample(i).step_size(), 1);
    EXPECT_EQ(reply->sample(i).change(), -3);
  }
}

TEST_F(BadRequests, APushThatEndsEarlyMayBeRepeatedWhole) {
  const absl::Status status = Push({First(1000, 10)});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("1010"));
  EXPECT_EQ(shard_->Status().pushes_rejected(), 0);
  EXPECT_TRUE(
      Client()->Push({.replica_id = 1, .incarnation = 1, .sequence = 1}, std::vector<float>(kSize, 1)).ok());
  EXPECT_THAT(Parameters(), Each(-1));
}

TEST_F(BadRequests, BytesThatAreNoMessage) {
  for (const std::string& bytes :
       {std::string(100, '\xff'), std::string("\x7a\xff\xff\xff\xff\x07"), std::string(1, '\0')}) {
    const absl::Status pushed = SendBytes("/downpour.ParameterServer/Push", bytes);
    EXPECT_TRUE(absl::IsInvalidArgument(pushed)) << pushed;
    const absl::Status fetched = SendBytes("/downpour.ParameterServer/Fetch", bytes);
    EXPECT_FALSE(fetched.ok());
  }
  ExpectUntouched();
}

int64_t MostMemoryBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{1024} * usage.ru_maxrss;
}

#if defined(__SANITIZE_THREAD__)  // which takes some bytes of its own for each byte that is touched
constexpr int64_t kMostInflated = int64_t{160} << 20;
#else
constexpr int64_t kMostInflated = int64_t{32} << 20;
#endif

// 64 MiB of zeros are 64 KiB when compressed, which the limit on a message's size would let pass.
TEST_F(BadRequests, CompressedMessagesAreRefusedBeforeTheyAreInflated) {
  const std::string bytes(int64_t{64} << 20, '\0');
  const int64_t before = MostMemoryBytes();
  for (const auto compression : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    const absl::Status status = SendBytes("/downpour.ParameterServer/Push", bytes, compression);
    EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  }
  EXPECT_LT(MostMemoryBytes() - before, kMostInflated);
  ExpectUntouched();
}

TEST_F(BadRequests, OnePushMoreThanTakenIsToldSoAndGetsItsTurn) {
  grpc::ClientContext context;
  PushReply reply;
  const std::unique_ptr<grpc::ClientWriter<PushChunk>> first = stub_->Push(&context, &reply);
  ASSERT_TRUE(first->Write(First(1000, 100)));
  ASSERT_TRUE(WaitFor([&] { return Parameters()[0] != 0; }));  // it has the place
  EXPECT_TRUE(absl::IsResourceExhausted(Push({First(1000, 10, 2)})));

  absl::Status pushed;
  std::thread patient([&] {
    pushed = Client()
                 ->Push({.replica_id = 2, .incarnation = 1, .sequence = 1}, std::vector<float>(kSize, 1))
                 .status();
  });
  ASSERT_TRUE(first->Write(Chunk(1100, kChunkElements)));
  first->WritesDone();
  EXPECT_TRUE(first->Finish().ok());
  patient.join();
  EXPECT_TRUE(pushed.ok()) << pushed;
  EXPECT_EQ(shard_->version(), 2);
}

TEST_F(BadRequests, ASenderThatVanishesLeavesItsPlace) {
  grpc::ClientContext context;
  PushReply reply;
  const std::unique_ptr<grpc::ClientWriter<PushChunk>> vanishing = stub_->Push(&context, &reply);
  ASSERT_TRUE(vanishing->Write(First(1000, 100)));
  ASSERT_TRUE(WaitFor([&] { return Parameters()[0] != 0; }));  // it has the place
  context.TryCancel();
  EXPECT_TRUE(absl::IsCancelled(FromGrpcStatus(vanishing->Finish())));
  EXPECT_TRUE(
      Client()->Push({.replica_id = 2, .incarnation = 1, .sequence = 1}, std::vector<float>(kSize, 1)).ok());
}

TEST(ParameterServiceTest, IsUnavailableBeforeItHasAShard) {
  ParameterService service({});
  const absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {&service});
  ASSERT_TRUE(server.ok());
  GrpcShardClient::Options options;
  options.address = server->address;
  options.range = {0, 10};
  options.retry.give_up_after = absl::ZeroDuration();
  std::vector<float> vector(10);
  EXPECT_TRUE(absl::IsUnavailable(GrpcShardClient(options).Fetch(absl::MakeSpan(vector)).status()));
  EXPECT_TRUE(absl::IsUnavailable(GrpcShardClient(options).Push({1, 1, 1, 0}, vector).status()));
}

TEST(GrpcChannelTest, NobodyThere) {
  std::string address;
  {
    ParameterService service({});
    const absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {&service});
    ASSERT_TRUE(server.ok());
    address = server->address;
  }
  GrpcShardClient::Options options;
  options.address = address;
  options.range = {0, 10};
  options.retry.give_up_after = absl::ZeroDuration();
  std::vector<float> vector(10);
  const absl::Status status = GrpcShardClient(options).Fetch(absl::MakeSpan(vector)).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr(address));
}

TEST(GrpcChannelTest, AddressesToListenAt) {
  ParameterService service({});
  for (const char* address :
       {"", "127.0.0.1", ":7100", "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:70000", "h:-1"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ListenAt(address, {&service}).status())) << address;
  }
}

}  // namespace
}  // namespace downpour
