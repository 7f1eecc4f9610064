// Where on the data's way: beside it; measures what those who watch a run cost it.
//   watching_bench --replicas=200 --viewers=10
// Starts a coordinator, two shards, four workers and the live page on loopback. Counts updates a second in
// turn while nobody watches and while --viewers have the page open, and prints both and their ratio for each
// round, then the median ratio.
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/check.h"
#include "common/program/host_port.h"
#include "common/rpc/coordinator_stub.h"
#include "tests/testing/child_process.h"
#include "tests/testing/toy_corpus.h"

ABSL_FLAG(int, replicas, 200, "how many, in four workers");
ABSL_FLAG(int, viewers, 10, "how many have the page open");
ABSL_FLAG(int, rounds, 5, "how many");
ABSL_FLAG(absl::Duration, span, absl::Seconds(8), "that is measured, of each kind in each round");
ABSL_FLAG(std::string, bin, DOWNPOUR_PROGRAM_DIR, "folder of the programs");

namespace downpour {
namespace {

constexpr int kWorkers = 4;
constexpr absl::Duration kSettle = absl::Seconds(1);  // after viewers have come or gone

// What a port file says, once it says it.
std::string Address(const std::string& port_file) {
  DOWNPOUR_CHECK(WaitFor([&] { return !FileText(port_file).empty(); }));
  return std::string(absl::StripAsciiWhitespace(FileText(port_file)));
}

// Programs of one run, which end with this.
class WatchedCluster {
 public:
  WatchedCluster() {
    folder_ = absl::StrCat(std::filesystem::temp_directory_path().string(), "/watching_bench_", getpid());
    std::filesystem::create_directories(folder_);
    WriteToyCorpus(folder_ + "/train", 60, 1);
    WriteToyCorpus(folder_ + "/test", 20, 2);
    Start("coordinator",
          {"--run_dir=" + folder_ + "/run", "--listen=127.0.0.1:0", "--port_file=" + folder_ + "/port",
           absl::StrCat("--data.train_dir=", folder_, "/train"),
           absl::StrCat("--data.test_dir=", folder_, "/test"), "--data.left_context=2",
           "--data.right_context=2", "--data.slice_frames=200", "--network.hidden_width=[256,256]",
           "--cluster.shards=2", "--cluster.minibatch=100", "--cluster.replica_timeout_s=60",
           "--budget.updates=1000000000", "--evaluation.every_updates=2000"});
    coordinator_ = Address(folder_ + "/port");
    for (int shard = 0; shard < 2; ++shard) {
      Start("server", {"--coordinator=" + coordinator_, absl::StrCat("--shard=", shard),
                       "--state_dir=" + folder_ + "/run/checkpoints"});
    }
    for (int worker = 0; worker < kWorkers; ++worker) {
      Start("worker", {"--coordinator=" + coordinator_,
                       absl::StrCat("--replicas=", absl::GetFlag(FLAGS_replicas) / kWorkers)});
    }
    Start("evaluator", {"--coordinator=" + coordinator_, "--threads=1"});
    Start("dashboard", {"--runs=" + folder_, "--listen=127.0.0.1:0", "--port_file=" + folder_ + "/page"});
    page_ = *ParseHostPort(Address(folder_ + "/page"));
    CoordinatorStub::Options options;
    options.address = coordinator_;
    stub_ = std::make_unique<CoordinatorStub>(options);
    const int replicas = absl::GetFlag(FLAGS_replicas) / kWorkers * kWorkers;
    DOWNPOUR_CHECK(WaitFor([&] { return Status().live_replicas() == replicas; }, absl::Minutes(5)));
  }
  ~WatchedCluster() {
    processes_.clear();
    std::filesystem::remove_all(folder_);
  }

  double UpdatesASecond(absl::Duration span) {
    Clock::Real()->SleepFor(kSettle);
    const absl::Time began = Clock::Real()->Now();
    const int64_t before = Status().updates();
    Clock::Real()->SleepFor(span);
    return static_cast<double>(Status().updates() - before) /
           absl::ToDoubleSeconds(Clock::Real()->Now() - began);
  }
  // Reads the page's events until `stop`.
  void Watch(const std::atomic<bool>& stop) const {
    httplib::Client client(page_.host, page_.port);
    client.set_read_timeout(60);
    client.Get("/events", [&](const char*, size_t) { return !stop; });
  }

 private:
  void Start(const std::string& program, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), absl::StrCat(absl::GetFlag(FLAGS_bin), "/downpour-", program));
    processes_.push_back(
        std::make_unique<ChildProcess>(arguments, absl::StrCat(folder_, "/", program, ".out")));
  }
  RunStatus Status() {
    return stub_->Call(&ClusterCoordinator::Stub::GetRunStatus, RunStatusRequest()).value();
  }

  std::string folder_, coordinator_;
  HostPort page_;
  std::vector<std::unique_ptr<ChildProcess>> processes_;
  std::unique_ptr<CoordinatorStub> stub_;
};

void Measure() {
  WatchedCluster cluster;
  const absl::Duration span = absl::GetFlag(FLAGS_span);
  std::vector<double> ratios;
  std::printf("round  alone (1/s)  watched (1/s)  ratio\n");
  for (int round = 1; round <= absl::GetFlag(FLAGS_rounds); ++round) {
    const double before = cluster.UpdatesASecond(span);
    std::atomic<bool> stop = false;
    std::vector<std::thread> viewers;
    for (int i = 0; i < absl::GetFlag(FLAGS_viewers); ++i) viewers.emplace_back([&] { cluster.Watch(stop); });
    const double watched = cluster.UpdatesASecond(span);
    stop = true;
    for (std::thread& viewer : viewers) viewer.join();
    // Before and after, so that a drift of the machine is in neither.
    const double after = cluster.UpdatesASecond(span);
    const double alone = (before + after) / 2;
    ratios.push_back(watched / alone);
    std::printf("%5d  %11.1f  %13.1f  %5.3f\n", round, alone, watched, ratios.back());
    std::fflush(stdout);
  }
  std::sort(ratios.begin(), ratios.end());
  std::printf("median ratio %.3f (%.3f to %.3f)\n", ratios[ratios.size() / 2], ratios.front(), ratios.back());
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("what those who watch a run cost it; see the beginning of watching_bench.cc");
  absl::ParseCommandLine(argc, argv);
  downpour::Measure();
}
