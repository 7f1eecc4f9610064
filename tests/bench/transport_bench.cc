// Where on the data's way: measures the way between replica and shard: the full network's 42.8 M parameters
// over loopback, compared with the same bytes over bare gRPC.
//   transport_bench
// BM_Push/<bytes>, BM_Fetch/<bytes>: one replica and one shard, with elements of so many bytes.
// BM_Steps/<bytes>/<replicas>: every replica pushes (with ADADELTA) and then fetches all parameters, on two
// shards; with 8 replicas, an eighth of the parameters.
//   per_second, bare_per_second  ours, and the same client with a server that throws pushes away and
//                                answers fetches from memory that never changes; of_bare is their quotient
//   plain_per_second             that server, but each chunk of a push is applied as soon as it is there, on
//                                the thread of gRPC that read it, in any order, without checks and without
//                                a ledger; of_plain is the quotient
//   at_most                      the slower of the bare transfer and the shards' own work (from memory, on
//                                all cores), if neither waits for the other; of_at_most is the quotient
// All four are medians, measured in turn. tests/bench/README.md has the figures.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/grpc_chunk.h"
#include "common/wire/chunk_codec.h"
#include "server/optimizer/optimizer.h"
#include "server/service/parameter_service.h"
#include "server/shard/parameter_shard.h"
#include "server/shard/segment.h"
#include "tests/bench/bench_replica.h"
#include "tests/bench/gradient.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"
#include "tests/bench/speech_network.h"
#include "worker/replica/parameter_snapshot.h"

namespace downpour {
namespace {

constexpr int64_t kParameters = 42'800'000;
constexpr int64_t kFirstKey = 1000;

enum class Service { kOurs, kBare, kPlain };

// The bare and the plain server.
class BareService final : public ParameterServiceBase {
 public:
  BareService(int64_t parameters, bool bfloat16, bool plain) : memory_(parameters, bfloat16) {
    if (!plain) return;
    const std::vector<float> initial(kChunkElements);
    for (int64_t begin = 0; begin < parameters; begin += kChunkElements) {
      segments_.push_back(std::make_unique<Segment>(
          kFirstKey + begin, absl::MakeConstSpan(initial).first(std::min(kChunkElements, parameters - begin)),
          optimizer_->state_names().size(), SegmentMemory()));
    }
  }

 private:
  class Sink final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
   public:
    Sink(BareService* service, grpc::ByteBuffer* reply) : service_(service), reply_(reply) {
      StartRead(&message_);
    }
    void OnReadDone(bool ok) override {
      if (!ok) return End();
      grpc::ByteBuffer message;
      message.Swap(&message_);
      ++under_way_;
      StartRead(&message_);  // another of gRPC's threads may continue it
      service_->Step(&message);
      message.Clear();
      End();
    }
    void OnDone() override { delete this; }

   private:
    void End() {
      if (--under_way_ > 0) return;
      *reply_ = SerializeMessage(PushReply());
      Finish(grpc::Status::OK);
    }

    BareService* const service_;
    grpc::ByteBuffer* const reply_;
    grpc::ByteBuffer message_;
    std::atomic<int> under_way_ = 1;  // the reading, and each chunk that is being stepped
  };
  class Source final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
   public:
    explicit Source(TensorView memory) : memory_(memory) { OnWriteDone(true); }
    void OnWriteDone(bool ok) override {
      const auto size = static_cast<int64_t>(memory_.size());
      if (!ok || next_ == size) return Finish(grpc::Status::OK);
      const int64_t elements = kChunkBytes / static_cast<int64_t>(memory_.element_bytes());
      const KeyRange keys{next_, std::min(next_ + elements, size)};
      const absl::string_view piece = memory_[keys].bytes();
      FetchChunk chunk;
      chunk.set_begin(kFirstKey + keys.begin);
      message_ = EncodeChunk(chunk, {grpc::Slice(piece.data(), piece.size(), grpc::Slice::STATIC_SLICE)});
      next_ = keys.end;
      StartWrite(&message_);
    }
    void OnDone() override { delete this; }

   private:
    const TensorView memory_;
    int64_t next_ = 0;
    grpc::ByteBuffer message_;
  };

  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext*,
                                                  grpc::ByteBuffer* reply) override {
    return new Sink(this, reply);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Fetch(grpc::CallbackServerContext*,
                                                    const grpc::ByteBuffer*) override {
    return new Source(memory_.view());
  }

  void Step(grpc::ByteBuffer* message) {
    if (segments_.empty()) return;
    thread_local std::vector<float> buffer(kChunkElements);
    PushChunk chunk;
    const auto payload = DecodeChunk(message, MutableTensorView(absl::MakeSpan(buffer)).bytes(), &chunk);
    ExitOnError(payload.status());
    const auto begin = static_cast<int64_t>(chunk.begin());
    Segment& segment = *segments_[(begin - kFirstKey) / kChunkElements];
    absl::MutexLock lock(&segment.mutex());
    segment.Step(*optimizer_, UpdateStep(), begin,
                 memory_.view().is_bfloat16() ? TensorView(*ChunkElements<uint16_t>(*payload))
                                              : *ChunkElements<float>(*payload));
  }

  const ParameterSnapshot memory_;
  const std::unique_ptr<Optimizer> optimizer_ = *Optimizer::Create(OptimizerDescription());
  std::vector<std::unique_ptr<Segment>> segments_;
};

ParameterShard::Options ShardOptions(int64_t size) {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"before", {kFirstKey}}, {"here", {size}}});
  options.run = {"a run", options.layout.fingerprint()};
  options.range = {kFirstKey, kFirstKey + size};
  return options;
}

std::shared_ptr<ParameterShard> AdadeltaShard(int64_t size) {
  return *ParameterShard::Create(ShardOptions(size), std::vector<float>(size));
}

// Shards to which `replicas` replicas push and from which they fetch, each shard on a thread of its own as
// in downpour-worker.
class Cluster {
 public:
  Cluster(int replicas, int shards, int64_t parameters, bool bfloat16, Service kind)
      : gradient_(MakeGradient(parameters / shards, bfloat16)) {
    const ParameterShard::Options shard_options = ShardOptions(parameters / shards);
    for (int index = 0; index < shards; ++index) {
      Shard& shard = shards_.emplace_back();
      if (kind == Service::kOurs) {
        auto service = std::make_unique<ParameterService>(ParameterService::Options());
        service->Serve(AdadeltaShard(parameters / shards));
        shard.service = std::move(service);
      } else {
        shard.service = std::make_unique<BareService>(parameters / shards, bfloat16, kind == Service::kPlain);
      }
      shard.server = *ListenAt("127.0.0.1:0", {shard.service.get()});
      for (int replica = 0; replica < replicas; ++replica) {
        clients_.emplace_back(shard.server.address, shard_options, replica, bfloat16);
      }
    }
  }

  void Push() {
    ForEachClient([this](BenchReplica& client) { client.Push(gradient_.view()); });
  }
  void Fetch() {
    ForEachClient([](BenchReplica& client) { client.Fetch(); });
  }
  void Step() {
    ForEachClient([this](BenchReplica& client) {
      client.Push(gradient_.view());
      client.Fetch();
    });
  }

 private:
  struct Shard {
    std::unique_ptr<grpc::Service> service;
    ListeningServer server;
  };

  template <typename Call>
  void ForEachClient(Call call) {
    OnThreads(static_cast<int>(clients_.size()), [&](int index) { call(clients_[index]); });
  }

  const ParameterSnapshot gradient_;
  std::vector<Shard> shards_;
  std::vector<BenchReplica> clients_;
};

// The shards' own work for these pushes and fetches: chunks from memory, on all cores.
class ShardWork {
 public:
  ShardWork(int replicas, int64_t parameters, bool bfloat16)
      : replicas_(replicas), bfloat16_(bfloat16), gradient_(MakeGradient(kChunkElements, bfloat16)) {
    for (int core = 0; core < Cores(); ++core) shards_.push_back(AdadeltaShard(parameters / Cores()));
  }
  void Push() { ForEachChunk(&ShardWork::Apply); }
  void Fetch() { ForEachChunk(&ShardWork::Lend); }
  void Step() {
    Push();
    Fetch();
  }

 private:
  template <typename Call>
  void ForEachChunk(Call call) {
    ++sequence_;
    OnThreads(Cores(), [&](int core) {
      const KeyRange range = shards_[core]->range();
      for (int replica = 0; replica < replicas_; ++replica) {
        for (int64_t begin = range.begin; begin < range.end; begin += kChunkElements)
          std::invoke(call, this, core, replica,
                      KeyRange{begin, std::min(begin + kChunkElements, range.end)});
      }
    });
  }
  void Apply(int core, int replica, KeyRange keys) {
    const PushHeader header{static_cast<uint64_t>(replica + 1), 1, sequence_, 0};
    ExitOnError(shards_[core]->ApplyChunk(header, keys.begin, gradient_.view()[{0, keys.size()}]).status());
  }
  void Lend(int core, int, KeyRange keys) { ExitOnError(shards_[core]->Lend(keys, bfloat16_).status()); }

  const int replicas_;
  const bool bfloat16_;
  const ParameterSnapshot gradient_;
  std::vector<std::shared_ptr<ParameterShard>> shards_;
  uint64_t sequence_ = 0;
};

template <typename Call, typename Work>
void Compare(benchmark::State& state, int replicas, int shards, int64_t parameters, bool bfloat16, Call call,
             Work work) {
  Cluster ours(replicas, shards, parameters, bfloat16, Service::kOurs);
  Cluster bare(replicas, shards, parameters, bfloat16, Service::kBare);
  Cluster plain(replicas, shards, parameters, bfloat16, Service::kPlain);
  ShardWork shard_work(replicas, parameters, bfloat16);
  std::invoke(call, ours);
  std::invoke(call, bare);
  std::invoke(call, plain);
  std::invoke(work, shard_work);
  std::vector<double> our_seconds, bare_seconds, plain_seconds, both_seconds;
  for (auto _ : state) {
    bare_seconds.push_back(Seconds([&] { std::invoke(call, bare); }));
    both_seconds.push_back(Seconds([&] {
      const std::jthread beside([&] { std::invoke(work, shard_work); });
      std::invoke(call, bare);
    }));
    plain_seconds.push_back(Seconds([&] { std::invoke(call, plain); }));
    our_seconds.push_back(Seconds([&] { std::invoke(call, ours); }));
    state.SetIterationTime(our_seconds.back());
  }
  const double our_time = Median(our_seconds), bare_time = Median(bare_seconds),
               plain_time = Median(plain_seconds), both_time = Median(both_seconds);
  state.counters["per_second"] = replicas / our_time;
  state.counters["bare_per_second"] = replicas / bare_time;
  state.counters["of_bare"] = bare_time / our_time;
  state.counters["plain_per_second"] = replicas / plain_time;
  state.counters["of_plain"] = plain_time / our_time;
  state.counters["at_most"] = replicas / both_time;
  state.counters["of_at_most"] = both_time / our_time;
}

void BM_Push(benchmark::State& state) {
  Compare(state, 1, 1, kParameters, state.range(0) == 2, &Cluster::Push, &ShardWork::Push);
}
void BM_Fetch(benchmark::State& state) {
  Compare(state, 1, 1, kParameters, state.range(0) == 2, &Cluster::Fetch, &ShardWork::Fetch);
}
void BM_Steps(benchmark::State& state) {
  const int replicas = static_cast<int>(state.range(1));
  Compare(state, replicas, 2, kParameters / replicas, state.range(0) == 2, &Cluster::Step, &ShardWork::Step);
}

#define OPTIONS UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(11)
BENCHMARK(BM_Push)->ArgName("bytes")->Arg(4)->Arg(2)->OPTIONS;
BENCHMARK(BM_Fetch)->ArgName("bytes")->Arg(4)->Arg(2)->OPTIONS;
BENCHMARK(BM_Steps)->ArgNames({"bytes", "replicas"})->ArgsProduct({{4, 2}, {1, 8}})->OPTIONS;

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
