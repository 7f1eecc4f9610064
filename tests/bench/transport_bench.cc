// Where on the data's way: between replica and shard; the full network's 42.8 M parameters over loopback,
// against the same bytes and the same client with a server that applies and reads nothing.
//   transport_bench
// ratio: the bare stream's median time over ours, measured in turn. tests/bench/README.md has the figures.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "common/chunk_codec.h"
#include "common/grpc_channel.h"
#include "common/grpc_chunk.h"
#include "server/parameter_service.h"
#include "server/parameter_shard.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"
#include "worker/grpc_shard_client.h"

namespace downpour {
namespace {

constexpr int64_t kParameters = 42'800'000;

void ExpectOk(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

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

// A shard over loopback and a client of it; bare: the service above instead of the shard, for the same bytes.
class Loopback {
 public:
  Loopback(int64_t size, ClusterDescription::WireFormat wire, bool bare)
      : shard_(AdadeltaShard(size)), vector_(size, 1e-3f) {
    if (bare) bare_ = std::make_unique<BareService>(size);
    service_.Serve(shard_);
    grpc::Service* const service = bare ? static_cast<grpc::Service*>(bare_.get()) : &service_;
    server_ = *ListenAt("127.0.0.1:0", {service});
    client_ = Connect(wire, 0);
  }
  std::unique_ptr<GrpcShardClient> Connect(ClusterDescription::WireFormat wire, int connection) {
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.connection = connection;
    options.range = shard_->range();
    options.run = shard_->run();
    options.wire = wire;
    return std::make_unique<GrpcShardClient>(options);
  }
  void Push() { ExpectOk(client_->Push({1, 1, ++sequence_, 0}, vector_).status()); }
  void Fetch() { ExpectOk(client_->Fetch(absl::MakeSpan(vector_)).status()); }
  const KeyRange& range() const { return shard_->range(); }

 private:
  static std::shared_ptr<ParameterShard> AdadeltaShard(int64_t size) {
    ParameterShard::Options options;
    options.layout = *ParameterLayout::Create({{"before", {1000}}, {"here", {size}}});
    options.run = {"a run", options.layout.fingerprint()};
    options.range = {1000, 1000 + size};
    return *ParameterShard::Create(options, std::vector<float>(size));
  }

  std::shared_ptr<ParameterShard> shard_;
  std::vector<float> vector_;
  ParameterService service_{{}};
  std::unique_ptr<BareService> bare_;
  ListeningServer server_;
  std::unique_ptr<GrpcShardClient> client_;
  uint64_t sequence_ = 0;
};

// Times `work` and `limit` in turn. bytes_per_second and the ratio are of their medians.
void Compare(benchmark::State& state, double bytes, const std::function<void()>& work,
             const std::function<void()>& limit) {
  work();
  limit();
  std::vector<double> times, limits;
  for (auto _ : state) {
    limits.push_back(Seconds(limit));
    times.push_back(Seconds(work));
    state.SetIterationTime(times.back());
  }
  const double median = Median(times);
  state.counters["median_ms"] = median * 1e3;
  state.counters["per_second"] = 1 / median;
  state.counters["GB_per_second"] = bytes / median / 1e9;
  state.counters["ratio"] = Median(limits) / median;
}

// What takes as many bytes as `wire` does for all parameters.
int64_t BareElements(ClusterDescription::WireFormat wire, int64_t parameters) {
  return wire == ClusterDescription::BFLOAT16 ? parameters / 2 : parameters;
}

void OneWay(benchmark::State& state, ClusterDescription::WireFormat wire, void (Loopback::*call)()) {
  Loopback loopback(kParameters, wire, /*bare=*/false);
  const int64_t elements = BareElements(wire, kParameters);
  Loopback bare(elements, ClusterDescription::FLOAT32, /*bare=*/true);
  Compare(
      state, elements * 4.0, [&] { (loopback.*call)(); }, [&] { (bare.*call)(); });
}

// `workers` replicas push to and fetch from two shards, each shard on a thread of its own as in downpour-worker.
class Cluster {
 public:
  Cluster(int workers, int64_t parameters, ClusterDescription::WireFormat wire, bool bare)
      : workers_(workers), vector_(parameters / 2, 1e-3f) {
    for (int shard = 0; shard < 2; ++shard) {
      shards_.push_back(std::make_unique<Loopback>(parameters / 2, wire, bare));
      for (int worker = 0; worker < workers; ++worker)
        clients_.push_back({shards_.back()->Connect(wire, worker % 4), static_cast<uint64_t>(worker + 1), 0,
                            std::vector<float>(parameters / 2)});
    }
  }
  void Step() {
    std::vector<std::jthread> threads;
    for (Client& client : clients_) {
      threads.emplace_back([&] {
        ExpectOk(client.client->Push({client.replica_id, 1, ++client.sequence, 0}, vector_).status());
        ExpectOk(client.client->Fetch(absl::MakeSpan(client.parameters)).status());
      });
    }
  }

 private:
  struct Client {
    std::unique_ptr<GrpcShardClient> client;
    uint64_t replica_id;
    uint64_t sequence;
    std::vector<float> parameters;
  };
  int workers_;
  std::vector<float> vector_;
  std::vector<std::unique_ptr<Loopback>> shards_;
  std::vector<Client> clients_;
};

// Push + ADADELTA + fetch of all parameters by every worker, against the same bytes that nobody applies.
void Steps(benchmark::State& state, int workers, int64_t parameters, ClusterDescription::WireFormat wire) {
  Cluster cluster(workers, parameters, wire, /*bare=*/false);
  const int64_t elements = BareElements(wire, parameters);
  Cluster bare(workers, elements, ClusterDescription::FLOAT32, /*bare=*/true);
  Compare(
      state, elements * 8.0 * workers, [&] { cluster.Step(); }, [&] { bare.Step(); });
  state.counters["steps_per_second"] = workers * state.counters["per_second"];
}

#define OPTIONS UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(11)
BENCHMARK_CAPTURE(OneWay, push_float32, ClusterDescription::FLOAT32, &Loopback::Push)->OPTIONS;
BENCHMARK_CAPTURE(OneWay, push_bfloat16, ClusterDescription::BFLOAT16, &Loopback::Push)->OPTIONS;
BENCHMARK_CAPTURE(OneWay, fetch_float32, ClusterDescription::FLOAT32, &Loopback::Fetch)->OPTIONS;
BENCHMARK_CAPTURE(OneWay, fetch_bfloat16, ClusterDescription::BFLOAT16, &Loopback::Fetch)->OPTIONS;
BENCHMARK_CAPTURE(Steps, 1_worker_float32, 1, kParameters, ClusterDescription::FLOAT32)->OPTIONS;
BENCHMARK_CAPTURE(Steps, 1_worker_bfloat16, 1, kParameters, ClusterDescription::BFLOAT16)->OPTIONS;
BENCHMARK_CAPTURE(Steps, 8_workers_float32, 8, kParameters / 8, ClusterDescription::FLOAT32)->OPTIONS;
BENCHMARK_CAPTURE(Steps, 8_workers_bfloat16, 8, kParameters / 8, ClusterDescription::BFLOAT16)->OPTIONS;

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
