// Where on the data's way: measures the way between replicas and shards: what more replicas or more shards
// cost, at the size of the full network.
//   growth_bench --replicas=1,8,50,100,200 --out=growth.svg
//   growth_bench --shards=1,2,4,8 --replicas=8 --out=shards.svg
// Three processes over loopback: this one, the shards, and the replicas, which push and fetch as fast as they
// can. Writes a row of CSV for each pair of numbers: the full steps per second during --seconds, after each
// replica's first step, and the resident memory of the shards' process at the beginning and at the end. Each
// round measures every pair once. A row has the medians over the rounds; its ratios are to the first row of
// the same round, with the smallest and the largest.
#include <grpcpp/channel.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/program/allocator.h"
#include "common/rpc/channel.h"
#include "deploy/report/charts.h"
#include "deploy/report/report.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/service/parameter_service.h"
#include "tests/bench/measure.h"
#include "tests/testing/child_process.h"
#include "worker/transport/grpc_shard_client.h"

ABSL_FLAG(std::vector<std::string>, replicas, std::vector<std::string>({"1", "8", "50", "100", "200"}),
          "how many");
ABSL_FLAG(std::vector<std::string>, shards, std::vector<std::string>({"2"}), "how many");
ABSL_FLAG(int64_t, parameters, 42'800'000, "of the network");
ABSL_FLAG(bool, fetch, true, "push only, if false");
ABSL_FLAG(double, seconds, 6, "that are measured, of each pair in each round");
ABSL_FLAG(int, rounds, 5, "how many");
ABSL_FLAG(std::string, out, "", "file of a picture of it");
ABSL_FLAG(std::string, role, "", "of the processes that it starts itself: shards, replicas");
ABSL_FLAG(std::vector<std::string>, addresses, {}, "of the shards, for the replicas");

namespace downpour {
namespace {

ParameterLayout Layout() { return *ParameterLayout::Create({{"all", {absl::GetFlag(FLAGS_parameters)}}}); }

RunKey Run() { return {"growth", Layout().fingerprint()}; }

KeyRange RangeOf(int shard, int shards) {
  const int64_t parameters = absl::GetFlag(FLAGS_parameters);
  return {parameters * shard / shards, parameters * (shard + 1) / shards};
}

int Only(const std::vector<std::string>& numbers) {
  int number = 0;
  DOWNPOUR_CHECK(absl::SimpleAtoi(numbers[0], &number));
  return number;
}

// Says at which addresses its shards are, and serves them until it is killed.
void ServeShards() {
  struct Served {
    ParameterService service{{}};
    ListeningServer server;
  };
  std::vector<std::unique_ptr<Served>> all;
  const int shards = Only(absl::GetFlag(FLAGS_shards));
  for (int shard = 0; shard < shards; ++shard) {
    ParameterShard::Options options;
    options.layout = Layout();
    options.run = Run();
    options.shard = shard;
    options.range = RangeOf(shard, shards);
    all.push_back(std::make_unique<Served>());
    all.back()->service.Serve(
        *ParameterShard::Create(options, std::vector<float>(options.range.size(), 0.1f)));
    all.back()->server = *ListenAt("127.0.0.1:0", {&all.back()->service});
    std::printf("at %s\n", all.back()->server.address.c_str());
  }
  std::printf("all\n");
  std::fflush(stdout);
  for (;;) pause();
}

// Every replica's parameters, all in the same memory pages, because nobody reads them here.
absl::Span<float> FetchedParameters(int file) {
  const size_t bytes = absl::GetFlag(FLAGS_parameters) * sizeof(float);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  DOWNPOUR_CHECK(memory != MAP_FAILED);
  return {static_cast<float*>(memory), bytes / sizeof(float)};
}

void RunReplica(int replica, absl::Span<const float> gradient, absl::Span<float> parameters) {
  const std::vector<std::string> addresses = absl::GetFlag(FLAGS_addresses);
  const int shards = static_cast<int>(addresses.size());
  std::vector<std::unique_ptr<GrpcShardClient>> clients;
  for (int shard = 0; shard < shards; ++shard) {
    GrpcShardClient::Options options;
    options.address = addresses[shard];
    options.connection = replica;  // as if each replica were a process of its own
    options.range = RangeOf(shard, shards);
    options.run = Run();
    options.jitter_seed = replica;
    options.rpc_timeout = absl::Minutes(10);
    clients.push_back(std::make_unique<GrpcShardClient>(options));
  }
  for (uint64_t sequence = 1;; ++sequence) {
    for (int i = 0; i < shards; ++i) {
      const int shard = (replica + i) % shards;
      const KeyRange range = RangeOf(shard, shards);
      const PushHeader header{static_cast<uint64_t>(replica + 1), 1, sequence, 0};
      absl::Status status =
          clients[shard]->Push(header, gradient.subspan(range.begin, range.size())).status();
      if (status.ok() && absl::GetFlag(FLAGS_fetch))
        status = clients[shard]->Fetch(parameters.subspan(range.begin, range.size())).status();
      if (status.ok()) continue;
      std::fprintf(stderr, "replica %d: %s\n", replica, status.ToString().c_str());
      std::exit(1);
    }
  }
}

void RunReplicas() {
  const std::vector<float> gradient(absl::GetFlag(FLAGS_parameters), 1e-3f);
  const int file = memfd_create("parameters", 0);
  DOWNPOUR_CHECK(ftruncate(file, static_cast<off_t>(gradient.size() * sizeof(float))) == 0);
  std::vector<std::thread> replicas;
  for (int replica = 0; replica < Only(absl::GetFlag(FLAGS_replicas)); ++replica)
    replicas.emplace_back(RunReplica, replica, absl::MakeConstSpan(gradient), FetchedParameters(file));
  for (std::thread& replica : replicas) replica.join();
}

double ResidentMiB(pid_t process) {
  std::ifstream status(absl::StrCat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);) {
    double kib = 0;
    if (std::sscanf(line.c_str(), "VmRSS: %lf kB", &kib) == 1) return kib / 1024;
  }
  return 0;
}

struct Row {
  int replicas;
  int shards;
  // One value for each round.
  std::vector<double> steps_per_second = {}, speed_ratio = {}, began_mib = {}, mib = {}, mib_ratio = {};
};

class Cluster {
 public:
  Cluster(int replicas, int shards) : replicas_(replicas), shards_(shards) {
    unlink(kShardsLog);
    unlink(kReplicasLog);
    server_ = Start("shards", "", kShardsLog);
    DOWNPOUR_CHECK(WaitFor([&] { return absl::StrContains(server_->Output(), "all\n"); }, absl::Minutes(1)));
    const std::string output = server_->Output();
    for (absl::string_view line : absl::StrSplit(output, '\n')) {
      if (!absl::ConsumePrefix(&line, "at ")) continue;
      addresses_.emplace_back(line);
      statuses_.push_back(ParameterServer::NewStub(ConnectTo(addresses_.back())));
    }
  }

  // Adds a round.
  void Measure(Row* row) {
    const double began_mib = ResidentMiB(server_->pid());
    clients_ = Start("replicas", absl::StrJoin(addresses_, ","), kReplicasLog);
    // A full step is counted when all shards have applied its push.
    Await([&] { return Steps() >= replicas_; });
    const double first = Steps();
    const absl::Time start = Clock::Real()->Now();
    absl::SleepFor(absl::Seconds(absl::GetFlag(FLAGS_seconds)));
    const double steps = Steps() - first;
    const double seconds = absl::ToDoubleSeconds(Clock::Real()->Now() - start);
    Await([] { return true; });
    row->steps_per_second.push_back(steps / seconds);
    row->began_mib.push_back(began_mib);
    row->mib.push_back(ResidentMiB(server_->pid()));
  }

 private:
  static constexpr char kShardsLog[] = "/tmp/growth_bench_shards.log";
  static constexpr char kReplicasLog[] = "/tmp/growth_bench_replicas.log";

  std::unique_ptr<ChildProcess> Start(const std::string& role, const std::string& addresses,
                                      const char* log) {
    return std::make_unique<ChildProcess>(
        std::vector<std::string>{"/proc/self/exe", "--role=" + role, "--addresses=" + addresses,
                                 absl::StrCat("--replicas=", replicas_), absl::StrCat("--shards=", shards_),
                                 absl::StrCat("--parameters=", absl::GetFlag(FLAGS_parameters)),
                                 absl::StrCat("--fetch=", absl::GetFlag(FLAGS_fetch))},
        log);
  }
  // Waits until `done` returns true. Ends this program if the replicas have failed.
  void Await(const std::function<bool()>& done) {
    while (!done()) absl::SleepFor(absl::Milliseconds(100));
    if (clients_->Wait(absl::ZeroDuration()) < 0) return;
    std::fputs(clients_->Output().c_str(), stderr);
    std::exit(1);
  }
  double Steps() {
    double steps = 0;
    for (size_t shard = 0; shard < statuses_.size(); ++shard) {
      grpc::ClientContext context;
      ShardStatus status;
      DOWNPOUR_CHECK(statuses_[shard]->GetStatus(&context, ShardStatusRequest(), &status).ok());
      steps += static_cast<double>(status.version()) * static_cast<double>(status.end() - status.begin()) /
               static_cast<double>(absl::GetFlag(FLAGS_parameters));
    }
    return steps;
  }

  const int replicas_;
  const int shards_;
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<ChildProcess> clients_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<ParameterServer::Stub>> statuses_;
};

void DrawGrowth(const std::vector<Row>& rows, const std::string& path) {
  const bool by_shards = rows.front().shards != rows.back().shards;
  LineChart chart;
  chart.title = by_shards ? "What more shards cost" : "What more replicas cost";
  chart.subtitle = "ratio to the first point; 2 cores for replicas and shards together";
  chart.x_label = by_shards ? "shards" : "replicas";
  chart.y_label = "ratio";
  chart.from_zero = true;
  chart.log_x = true;
  LineChart::Line steps{.name = "full steps a second", .points = {}};
  LineChart::Line memory{.name = "memory of the shards", .color = 1, .dashed = true, .points = {}};
  for (const Row& row : rows) {
    const double x = by_shards ? row.shards : row.replicas;
    steps.points.emplace_back(x, Median(row.speed_ratio));
    memory.points.emplace_back(x, Median(row.mib_ratio));
  }
  chart.lines = {steps, memory};
  std::ofstream(path) << StandAlone(Draw(chart));
}

int Main() {
  if (!absl::GetFlag(FLAGS_role).empty())
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // so that none outlives the first process
  if (absl::GetFlag(FLAGS_role) == "shards") ServeShards();
  if (absl::GetFlag(FLAGS_role) == "replicas") RunReplicas();
  std::vector<Row> rows;
  for (const std::string& shards : absl::GetFlag(FLAGS_shards))
    for (const std::string& replicas : absl::GetFlag(FLAGS_replicas))
      rows.push_back({Only({replicas}), Only({shards})});
  for (int round = 1; round <= absl::GetFlag(FLAGS_rounds); ++round) {
    for (Row& row : rows) {
      Cluster(row.replicas, row.shards).Measure(&row);
      row.speed_ratio.push_back(row.steps_per_second.back() / rows.front().steps_per_second.back());
      row.mib_ratio.push_back(row.mib.back() / rows.front().mib.back());
      std::fprintf(stderr, "round %d: %d replicas, %d shards: %.2f steps/s, %.0f MiB\n", round, row.replicas,
                   row.shards, row.steps_per_second.back(), row.mib.back());
    }
  }
  std::puts("replicas,shards,steps_per_second,ratio,least,greatest,shards_mib_at_start,shards_mib,ratio");
  for (const Row& row : rows) {
    const auto [least, greatest] = std::minmax_element(row.speed_ratio.begin(), row.speed_ratio.end());
    std::printf("%d,%d,%.2f,%.3f,%.3f,%.3f,%.0f,%.0f,%.3f\n", row.replicas, row.shards,
                Median(row.steps_per_second), Median(row.speed_ratio), *least, *greatest,
                Median(row.began_mib), Median(row.mib), Median(row.mib_ratio));
  }
  if (const std::string out = absl::GetFlag(FLAGS_out); !out.empty()) DrawGrowth(rows, out);
  return 0;
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  downpour::KeepMemoryOfChunks();
  absl::SetProgramUsageMessage("growth_bench [--replicas=N,...] [--shards=N,...] [--out=FILE.svg]");
  absl::ParseCommandLine(argc, argv);
  return downpour::Main();
}
