// Where on the data's way: between replica and shard of one host; guards the shard against replicas that lie.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/chunk_codec.h"
#include "common/wire/descriptor_socket.h"
#include "common/wire/shared_memory.h"
#include "proto/shared_memory.grpc.pb.h"
#include "server/service/shared_memory_service.h"
#include "tests/testing/integer_shard.h"
#include "worker/transport/grpc_shared_memory_client.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int64_t kSize = 9 * kChunkElements + 77;

// Of this process, which is liars, honest replica and shard at once.
int64_t ResidentBytes() {
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

class SharedMemoryRefusals : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_);
    absl::StatusOr<ListeningServer> server = ListenAt("127.0.0.1:0", {&shared_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    shared_.Serve(shard_);
  }
  void TearDown() override {
    server_.server.reset();
    std::filesystem::remove_all(directory_);
  }

  const std::string directory_ = absl::StrCat("/tmp/downpour_refusals_", getpid());
  const std::shared_ptr<ParameterShard> shard_ = IntegerShard(kSize);
  const std::unique_ptr<SharedMemoryResource> memory_ = *SharedMemoryResource::Create();
  SharedMemoryService shared_{{.directory = directory_}};
  ListeningServer server_;
};

// A replica that does not keep to the protocol.
class Liar {
 public:
  Liar(const std::string& address, const RunKey& run, uint64_t replica_id = 7)
      : replica_id_(replica_id),
        stub_(SharedMemory::NewStub(ConnectTo(address))),
        call_(stub_->Attach(&context_)) {
    run_.set_run_id(run.run_id);
    run_.set_layout_fingerprint(run.layout_fingerprint);
  }
  ~Liar() {
    if (ended_) return;
    context_.TryCancel();
    call_->Finish();
  }
  std::string Attach() {
    SharedMemoryRequest request;
    *request.mutable_attach() = run_;
    EXPECT_TRUE(Call(request).ok());
    return reply_.socket();
  }
  absl::Status Connected() {
    SharedMemoryRequest request;
    request.mutable_connected();
    return Call(request);
  }
  absl::Status Push(uint64_t sequence, uint64_t offset) {
    SharedMemoryRequest request;
    *request.mutable_push()->mutable_header()->mutable_run() = run_;
    request.mutable_push()->mutable_header()->set_replica_id(replica_id_);
    request.mutable_push()->mutable_header()->set_sequence(sequence);
    request.mutable_push()->set_offset(offset);
    return Call(request);
  }
  absl::Status Fetch(uint64_t offset) {
    SharedMemoryRequest request;
    *request.mutable_fetch()->mutable_run() = run_;
    request.mutable_fetch()->set_offset(offset);
    return Call(request);
  }
  absl::Status Call(const SharedMemoryRequest& request) {
    ended_ = !call_->Write(request) || !call_->Read(&reply_);
    if (ended_) return FromGrpcStatus(call_->Finish());
    return absl::Status(static_cast<absl::StatusCode>(reply_.code()), reply_.message());
  }

 private:
  const uint64_t replica_id_;
  grpc::ClientContext context_;
  const std::unique_ptr<SharedMemory::Stub> stub_;
  const std::unique_ptr<grpc::ClientReaderWriter<SharedMemoryRequest, SharedMemoryReply>> call_;
  RunIdentity run_;
  SharedMemoryReply reply_;
  bool ended_ = false;
};

TEST_F(SharedMemoryRefusals, RefusesWhatIsOutOfOrder) {
  EXPECT_TRUE(absl::IsInvalidArgument(Liar(server_.address, shard_->run()).Push(1, 0)));
  EXPECT_TRUE(absl::IsInvalidArgument(Liar(server_.address, shard_->run()).Fetch(0)));
  EXPECT_TRUE(absl::IsInvalidArgument(Liar(server_.address, shard_->run()).Connected()));
  EXPECT_TRUE(absl::IsInvalidArgument(Liar(server_.address, shard_->run()).Call({})));
  Liar early(server_.address, shard_->run());
  early.Attach();
  EXPECT_TRUE(absl::IsInvalidArgument(early.Push(1, 0)));
  Liar silent(server_.address, shard_->run());
  silent.Attach();
  EXPECT_TRUE(absl::IsNotFound(silent.Connected()));
  EXPECT_EQ(shard_->version(), 0);
}

TEST_F(SharedMemoryRefusals, RefusesMemoryThatMightShrink) {
  Liar liar(server_.address, shard_->run());
  const std::string socket = liar.Attach();
  const FileDescriptor unsealed(memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_TRUE(SendDescriptor(directory_, socket, unsealed).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(liar.Connected()));
}

TEST_F(SharedMemoryRefusals, RefusesPlacesOutsideTheMemory) {
  Liar liar(server_.address, shard_->run());
  const std::string socket = liar.Attach();
  ASSERT_TRUE(SendDescriptor(directory_, socket, memory_->file()).ok());
  ASSERT_TRUE(liar.Connected().ok());
  EXPECT_TRUE(absl::IsOutOfRange(liar.Push(1, 0)));  // the file is empty
  const std::pmr::vector<float> gradient(kSize, 1, memory_.get());
  for (const uint64_t offset : {uint64_t{1}, uint64_t{1} << 20, ~uint64_t{0}, ~uint64_t{3}}) {
    EXPECT_TRUE(absl::IsOutOfRange(liar.Push(1, offset))) << offset;
    EXPECT_TRUE(absl::IsOutOfRange(liar.Fetch(offset))) << offset;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(liar.Connected()));
  EXPECT_TRUE(liar.Push(1, 0).ok());
  EXPECT_EQ(shard_->version(), 1);
}

// A page that the owner has not written would be charged to the shard that writes or reads it.
TEST_F(SharedMemoryRefusals, MemoryWithoutPages) {
  Liar liar(server_.address, shard_->run());
  const std::string socket = liar.Attach();
  const FileDescriptor sparse(memfd_create("sparse", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(sparse.get(), off_t{1} << 40), 0);
  ASSERT_EQ(fcntl(sparse.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), 0);
  ASSERT_TRUE(SendDescriptor(directory_, socket, sparse).ok());
  ASSERT_TRUE(liar.Connected().ok());
  const std::vector<float> most(kSize - 2 * 1024);  // all but the last two pages
  ASSERT_EQ(pwrite(sparse.get(), most.data(), most.size() * sizeof(float), 0),
            static_cast<ssize_t>(most.size() * sizeof(float)));
  struct stat before {};
  struct stat after {};
  fstat(sparse.get(), &before);
  for (const uint64_t offset : {uint64_t{0}, uint64_t{1} << 30, uint64_t{1} << 39}) {
    for (const absl::Status& status : {liar.Fetch(offset), liar.Push(1, offset)}) {
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("has not written"));
    }
  }
  fstat(sparse.get(), &after);
  EXPECT_EQ(after.st_blocks, before.st_blocks);
  EXPECT_EQ(shard_->version(), 0);
}

TEST_F(SharedMemoryRefusals, MorePlacesThanAReplicaNeeds) {
  Liar liar(server_.address, shard_->run());
  const std::string socket = liar.Attach();
  ASSERT_TRUE(SendDescriptor(directory_, socket, memory_->file()).ok());
  ASSERT_TRUE(liar.Connected().ok());
  const std::pmr::vector<float> memory(kSize + 100, 1, memory_.get());
  int taken = 0;
  while (taken < 100 && liar.Fetch(sizeof(float) * taken).ok()) ++taken;
  EXPECT_EQ(taken, 8);
  EXPECT_TRUE(absl::IsResourceExhausted(liar.Fetch(400))) << "which a client makes over gRPC instead";
  EXPECT_TRUE(liar.Fetch(0).ok());
}

// Four liars on the shard's host, each with a session and a gradient of NaN.
TEST_F(SharedMemoryRefusals, AFloodOfThemCostsTheOthersNoPushAndNoMemory) {
  constexpr int kLiars = 4;
  std::vector<std::unique_ptr<Liar>> liars;
  std::pmr::vector<float> lies(kSize, std::numeric_limits<float>::quiet_NaN(), memory_.get());
  for (int i = 0; i < kLiars; ++i) {
    liars.push_back(std::make_unique<Liar>(server_.address, shard_->run(), /*replica_id=*/100 + i));
    ASSERT_TRUE(SendDescriptor(directory_, liars.back()->Attach(), memory_->file()).ok());
    ASSERT_TRUE(liars.back()->Connected().ok());
    EXPECT_TRUE(absl::IsInvalidArgument(liars.back()->Push(1, 0)));
  }
  GrpcShardClient::Options options;
  options.address = server_.address;
  options.range = shard_->range();
  options.run = shard_->run();
  SharedMemoryShardClient honest({options, directory_, memory_.get()});
  std::pmr::vector<float> gradient(kSize, 1, memory_.get()), parameters(kSize, memory_.get());
  EXPECT_TRUE(honest.Fetch(absl::MakeSpan(parameters)).ok());
  EXPECT_TRUE(honest.Push({1, 1, 1, 0}, gradient).ok());
  const int64_t before = ResidentBytes();
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (const auto& liar : liars) {
    threads.emplace_back([&done, liar = liar.get()] {
      for (uint64_t i = 2; !done; ++i) {
        EXPECT_TRUE(absl::IsInvalidArgument(liar->Push(i, 0)));
        EXPECT_FALSE(liar->Fetch(~uint64_t{0} << (i % 40)).ok());
      }
    });
  }
  for (uint64_t push = 2; push <= 20; ++push) EXPECT_TRUE(honest.Push({1, 1, push, push - 1}, gradient).ok());
  EXPECT_EQ(*honest.Fetch(absl::MakeSpan(parameters)), 20);
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(honest.attached());
  EXPECT_THAT(parameters, Each(-20));
  EXPECT_LT(ResidentBytes() - before, 16 << 20);
}

}  // namespace
}  // namespace downpour
