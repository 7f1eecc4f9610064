// Where on the data's way: between replica and shard; measures what TLS costs them beside plaintext.
//   tls_bench --elements=42800000 --rounds=9
// One shard with SGD in this process, behind a plaintext port and a TLS port on loopback. In each round a
// client of each pushes a gradient and fetches the parameters, in turn and in changing order. Prints the
// medians and the median of the rounds' ratios, for pushes, fetches, steps of both and new connections.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/program/allocator.h"
#include "common/rpc/health.h"
#include "server/service/parameter_service.h"
#include "tests/bench/measure.h"
#include "tests/testing/integer_shard.h"
#include "tests/testing/test_authority.h"
#include "worker/transport/grpc_shard_client.h"

ABSL_FLAG(int64_t, elements, 42'800'000, "of the shard: parameters in float32");
ABSL_FLAG(int, rounds, 9, "how many; the first is not counted");

namespace downpour {
namespace {

// Of one call: its time, and that of all CPUs for both of its ends, which other work on the machine hardly
// changes. In seconds.
struct Cost {
  double wall = 0, cpu = 0;
  Cost operator+(const Cost& other) const { return {wall + other.wall, cpu + other.cpu}; }
};

Cost CostOf(const std::function<bool()>& call) {
  Cost cost;
  const std::clock_t before = std::clock();
  cost.wall = Seconds([&] { DOWNPOUR_CHECK(call()); });
  cost.cpu = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  return cost;
}

// A port of the shard, and a client of it.
class Way {
 public:
  Way(const std::shared_ptr<ParameterShard>& shard, const std::shared_ptr<Credentials>& server,
      const std::shared_ptr<Credentials>& client)
      : size_(shard->range().size()), credentials_(client), parameters_(size_), gradient_(size_, 1e-9F) {
    server_ = *ListenAt("127.0.0.1:0", {&service_}, {server});
    service_.Serve(shard);
    GrpcShardClient::Options options;
    options.address = server_.address;
    options.peer = {"shard/0", client};
    options.range = shard->range();
    options.run = shard->run();
    client_ = std::make_unique<GrpcShardClient>(options);
  }

  Cost Push(uint64_t sequence, uint64_t replica) {
    return CostOf([&] { return client_->Push({replica, 1, sequence, 0}, gradient_).ok(); });
  }
  Cost Fetch() {
    return CostOf([&] { return client_->Fetch(absl::MakeSpan(parameters_)).ok(); });
  }
  Cost Connect() {
    // Another number is another connection; the first call on it makes it.
    const auto channel = ConnectTo(server_.address, {"shard/0", credentials_}, ++connection_);
    return CostOf([&] { return AwaitConnection(*channel, server_.address).ok(); });
  }

 private:
  const int64_t size_;
  const std::shared_ptr<Credentials> credentials_;
  std::vector<float> parameters_, gradient_;
  ParameterService service_{{}};
  ListeningServer server_;
  std::unique_ptr<GrpcShardClient> client_;
  int connection_ = 1000;
};

// Of one kind, in each round: without TLS and with it.
struct Pairs {
  std::vector<double> plain, tls, ratios, cpu_ratios;
  void Add(const Cost& without, const Cost& with) {
    plain.push_back(without.wall);
    tls.push_back(with.wall);
    ratios.push_back(with.wall / without.wall);
    cpu_ratios.push_back(with.cpu / without.cpu);
  }
  void Print(const char* name) const {
    const auto least_to_greatest = [](const std::vector<double>& values) {
      return absl::StrFormat("%.2f (%.2f to %.2f)", Median(values),
                             *std::min_element(values.begin(), values.end()),
                             *std::max_element(values.begin(), values.end()));
    };
    absl::PrintF("%-10s  %9.2f  %9.2f  %-22s  %s\n", name, 1e3 * Median(plain), 1e3 * Median(tls),
                 least_to_greatest(ratios), least_to_greatest(cpu_ratios));
  }
};

std::string Cpu() {
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);)
    if (absl::StartsWith(line, "model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

void Measure() {
  const int64_t elements = absl::GetFlag(FLAGS_elements);
  const std::shared_ptr<ParameterShard> shard = IntegerShard(elements);
  const TestAuthority authority;
  Way plain(shard, nullptr, nullptr);
  Way tls(shard, authority.For({"shard/0"}), authority.For({"worker"}));
  Pairs pushes, fetches, steps, connections;
  for (int round = 0; round < absl::GetFlag(FLAGS_rounds); ++round) {
    Cost push[2], fetch[2], connect[2];
    for (int i = 0; i < 2; ++i) {
      const int which = (round + i) % 2;
      Way& way = which == 0 ? plain : tls;
      connect[which] = way.Connect();
      fetch[which] = way.Fetch();
      push[which] = way.Push(round + 1, 1 + which);
    }
    if (round == 0) continue;  // memory is touched for the first time
    connections.Add(connect[0], connect[1]);
    fetches.Add(fetch[0], fetch[1]);
    pushes.Add(push[0], push[1]);
    steps.Add(fetch[0] + push[0], fetch[1] + push[1]);
  }
  absl::PrintF("%d cores of %s, %d parameters (%.0f MB), %d rounds\n", Cores(), Cpu(), elements,
               4e-6 * static_cast<double>(elements), pushes.plain.size());
  absl::PrintF("%-10s  %9s  %9s  %-22s  %s\n", "", "plain, ms", "TLS, ms", "ratio", "ratio of CPU time");
  pushes.Print("push");
  fetches.Print("fetch");
  steps.Print("step");
  connections.Print("connection");
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("what TLS costs beside plaintext; see the beginning of tls_bench.cc");
  std::printf("%s\n", absl::StrJoin(argv, argv + argc, " ").c_str());
  absl::ParseCommandLine(argc, argv);
  downpour::KeepMemoryOfChunks();
  downpour::Measure();
}
