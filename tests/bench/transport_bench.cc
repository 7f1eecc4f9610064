// Where on the data's way: between replica and shard; the full network's 42.8 M parameters over loopback,
// against the same bytes in a bare gRPC stream that nobody reads or applies.
#include <benchmark/benchmark.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/chunk_codec.h"
#include "common/grpc_channel.h"
#include "common/grpc_chunk.h"
#include "server/parameter_service.h"
#include "tests/testing/integer_shard.h"
#include "worker/grpc_shard_client.h"

namespace downpour {
namespace {

constexpr int64_t kParameters = 42'800'000;

// Takes any push and throws it away; answers a fetch from memory that never changes.
class BareService final : public ParameterServiceBase {
 public:
  explicit BareService(int64_t size) : memory_(size) {}

 private:
  class Sink final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
   public:
    explicit Sink(grpc::ByteBuffer* reply) : reply_(reply) { StartRead(&message_); }
    void OnReadDone(bool ok) override {
      if (ok) return StartRead(&message_);
      *reply_ = SerializeMessage(PushReply());
      Finish(grpc::Status::OK);
    }
    void OnDone() override { delete this; }

   private:
    grpc::ByteBuffer* reply_;
    grpc::ByteBuffer message_;
  };
  class Source final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
   public:
    explicit Source(absl::Span<const float> memory) : memory_(memory) { OnWriteDone(true); }
    void OnWriteDone(bool ok) override {
      if (!ok || next_ == memory_.size()) return Finish(grpc::Status::OK);
      const absl::Span<const float> piece = memory_.subspan(next_, kChunkElements);
      FetchChunk chunk;
      chunk.set_begin(1000 + next_);
      next_ += piece.size();
      message_ = EncodeChunk(
          chunk, grpc::Slice(piece.data(), piece.size() * sizeof(float), grpc::Slice::STATIC_SLICE));
      StartWrite(&message_);
    }
    void OnDone() override { delete this; }

   private:
    const absl::Span<const float> memory_;
    size_t next_ = 0;
    grpc::ByteBuffer message_;
  };

  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext*,
                                                  grpc::ByteBuffer* reply) override {
    return new Sink(reply);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Fetch(grpc::CallbackServerContext*,
                                                    const grpc::ByteBuffer*) override {
    return new Source(memory_);
  }

  const std::vector<float> memory_;
};

class Loopback {
 public:
  explicit Loopback(bool bare) : shard_(IntegerShard(kParameters)), vector_(kParameters, 1), service_({}) {
    if (bare) bare_ = std::make_unique<BareService>(kParameters);
    service_.Serve(shard_);
    grpc::Service* const service = bare ? static_cast<grpc::Service*>(bare_.get()) : &service_;
    server_ = *ListenAt("127.0.0.1:0", {service});
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.range = shard_->range();
    options.run = shard_->run();
    client_ = std::make_unique<GrpcShardClient>(options);
  }
  bool Push() { return client_->Push({1, 1, ++sequence_, 0}, vector_).ok(); }
  bool Fetch() { return client_->Fetch(absl::MakeSpan(vector_)).ok(); }

 private:
  std::shared_ptr<ParameterShard> shard_;
  std::vector<float> vector_;
  ParameterService service_;
  std::unique_ptr<BareService> bare_;
  ListeningServer server_;
  std::unique_ptr<GrpcShardClient> client_;
  uint64_t sequence_ = 0;
};

void Measure(benchmark::State& state, bool bare, bool (Loopback::*call)()) {
  Loopback loopback(bare);
  (loopback.*call)();
  for (auto _ : state) {
    if (!(loopback.*call)()) state.SkipWithError("the call failed");
  }
  state.SetBytesProcessed(state.iterations() * kParameters * static_cast<int64_t>(sizeof(float)));
}

// A push is applied by SGD, whose own cost is the least of all rules.
BENCHMARK_CAPTURE(Measure, push, false, &Loopback::Push)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);
BENCHMARK_CAPTURE(Measure, bare_push, true, &Loopback::Push)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);
BENCHMARK_CAPTURE(Measure, fetch, false, &Loopback::Fetch)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);
BENCHMARK_CAPTURE(Measure, bare_fetch, true, &Loopback::Fetch)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);

}  // namespace
}  // namespace downpour

BENCHMARK_MAIN();
