// Where on the data's way: beside it; the metrics of every program as Debian's Prometheus takes them, and
// gRPC's health check.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/program/host_port.h"
#include "common/program/run_program.h"
#include "tests/testing/free_port.h"
#include "tests/testing/processes.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

bool Runs(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

// The body at http://address/path; empty if there is none.
std::string Get(const std::string& address, const std::string& path) {
  const HostPort where = *ParseHostPort(address);
  const httplib::Result result = httplib::Client(where.host, where.port).Get(path);
  return result && result->status == 200 ? result->body : "";
}

// The value in the answer to a query for one series; "" if there is none.
std::string ValueIn(const std::string& answer) {
  std::smatch match;
  return std::regex_search(answer, match, std::regex(R"RE("value":\[[0-9.]+,"([^"]+)"\])RE")) ? match[1].str()
                                                                                              : "";
}

class Metrics : public Processes {
 protected:
  void SetUp() override {
    if (!Runs("promtool --version"))
      GTEST_SKIP() << "Debian's package prometheus is not installed; deploy/packages tests installs it";
    Processes::SetUp();
  }
  void TearDown() override {
    if (!IsSkipped()) Processes::TearDown();
  }

  // Starts a program with metrics at a free port; returns their address.
  std::string Watched(const std::string& program, const std::string& name, std::vector<std::string> arguments,
                      std::unique_ptr<ChildProcess>* process) {
    const std::string log = absl::StrCat(folder_, "/", name, ".log");
    arguments.insert(arguments.end(),
                     {"--coordinator=" + address_, "--metrics=127.0.0.1:0", "--log_file=" + log});
    *process = Start(program, arguments);
    return MetricsAddressIn(log);
  }
  static std::string MetricsAddressIn(const std::string& log) {
    std::string address;
    EXPECT_TRUE(WaitFor([&] {
      std::smatch match;
      const std::string text = FileText(log);
      if (!std::regex_search(text, match, std::regex("metrics at http://([^/]+)/metrics"))) return false;
      address = match[1];
      return true;
    })) << log;
    return address;
  }
  void StartWatched() {
    more_settings_ = {"--metrics=127.0.0.1:0"};
    StartCoordinator();
    targets_.push_back(MetricsAddressIn(run_dir_ + "/log.txt"));
    for (int shard = 0; shard < 2; ++shard) {
      targets_.push_back(
          Watched("downpour-server", absl::StrCat("shard", shard),
                  {absl::StrCat("--shard=", shard), "--state_dir=" + run_dir_ + "/checkpoints"},
                  &shards_.emplace_back()));
    }
    targets_.push_back(Watched("downpour-worker", "worker", {"--replicas=2"}, &workers_.emplace_back()));
    targets_.push_back(Watched("downpour-evaluator", "evaluator", {"--threads=1"}, &evaluator_));
  }

  std::vector<std::string> targets_;  // coordinator, two shards, worker, evaluator
};

TEST_F(Metrics, OfEveryProgramPassPromtool) {
  StartWatched();
  ASSERT_TRUE(WaitFor([&] { return Status().has_last_evaluation(); }));
  const std::vector<std::string> wanted = {
      "downpour_frame_accuracy_ratio{set=\"test\"}", "downpour_shard_updates_total{shard=\"0\"}",
      "downpour_shard_updates_total{shard=\"1\"}", "downpour_transfer_bytes_total{kind=\"push\",way=\"any\"}",
      "downpour_evaluation_duration_seconds_count"};
  for (size_t i = 0; i < targets_.size(); ++i) {
    const std::string text = Get(targets_[i], "/metrics");
    const std::string file = absl::StrCat(folder_, "/metrics", i);
    std::ofstream(file) << text;
    EXPECT_THAT(text, HasSubstr(wanted[i]));
    EXPECT_THAT(text, Not(HasSubstr("replica=")));
    const std::string output = file + ".promtool";
    EXPECT_EQ(std::system(absl::StrCat("promtool check metrics <", file, " >", output, " 2>&1").c_str()), 0)
        << FileText(output);
    EXPECT_EQ(FileText(output), "") << text;
  }
  EXPECT_EQ(Get(targets_[0], "/"), "") << "only /metrics is served";
}

TEST_F(Metrics, OfASimulatedRunPassPromtool) {
  std::vector<std::string> arguments = Settings();
  arguments.insert(arguments.end(),
                   {"--run_dir=" + run_dir_, "--cluster.replicas=4", "--budget.updates=100000000",
                    "--metrics=127.0.0.1:0", "--data.test_human_dir="});
  std::erase(arguments, absl::StrCat("--budget.updates=", updates_));
  const auto train = Start("downpour-train", arguments);
  const std::string address = MetricsAddressIn(run_dir_ + "/log.txt");
  std::string text;
  EXPECT_TRUE(WaitFor([&] {
    text = Get(address, "/metrics");
    return text.find("downpour_frame_accuracy_ratio{set=\"test\"}") != std::string::npos;
  })) << text;
  EXPECT_THAT(text, HasSubstr("downpour_live_replicas 4"));
  const std::string file = folder_ + "/metrics";
  std::ofstream(file) << text;
  EXPECT_EQ(std::system(absl::StrCat("promtool check metrics <", file, " >", file, ".out 2>&1").c_str()), 0)
      << FileText(file + ".out");
  train->Signal(SIGINT);
  EXPECT_EQ(train->Wait(), kExitInterrupted);
}

TEST_F(Metrics, PrometheusScrapesALocalClusterAndAnswersQueries) {
  StartWatched();
  std::string config = FileText(absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/monitoring/prometheus.yml"));
  config = config.substr(0, config.find("    dns_sd_configs"));
  absl::StrReplaceAll({{"scrape_interval: 5s", "scrape_interval: 1s"}}, &config);
  absl::StrAppend(&config, "    static_configs: [{targets: ['", absl::StrJoin(targets_, "', '"), "']}]\n");
  std::ofstream(folder_ + "/prometheus.yml") << config;
  fs::copy_file(absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/monitoring/alerts.yml"), folder_ + "/alerts.yml");
  const std::string address = absl::StrCat("127.0.0.1:", FreePort());
  const ChildProcess prometheus(
      {"/usr/bin/prometheus", "--config.file=" + folder_ + "/prometheus.yml",
       "--storage.tsdb.path=" + folder_ + "/tsdb", "--web.listen-address=" + address},
      folder_ + "/prometheus.out");
  const auto query = [&](const std::string& expression) {
    return ValueIn(Get(address, "/api/v1/query?query=" + httplib::detail::encode_query_param(expression)));
  };
  EXPECT_TRUE(WaitFor([&] { return query("sum(up)") == "5"; })) << prometheus.Output();
  EXPECT_TRUE(WaitFor([&] { return query("downpour_live_replicas") == "2"; }));
  EXPECT_TRUE(WaitFor([&] { return query("rate(downpour_updates_total[10s]) > bool 0") == "1"; }));
  EXPECT_TRUE(
      WaitFor([&] { return query("time() - downpour_last_update_timestamp_seconds < bool 30") == "1"; }));
  EXPECT_TRUE(WaitFor([&] {
    return query("sum(rate(downpour_transfer_bytes_total{kind=\"push\",way!=\"any\"}[10s])) > bool 0") == "1";
  }));
  EXPECT_THAT(Get(address, "/api/v1/rules"), HasSubstr("DownpourNoUpdate"));
}

TEST_F(Metrics, AlertRulesFireWhenTheyShould) {
  const std::string output = folder_ + "/promtool.out";
  EXPECT_EQ(std::system(absl::StrCat("cd '", DOWNPOUR_SOURCE_DIR,
                                     "/deploy/monitoring' && promtool check rules ", "alerts.yml >", output,
                                     " 2>&1 && promtool test rules alerts_test.yml >>", output, " 2>&1")
                            .c_str()),
            0)
      << FileText(output);
}

// Whatever the alerts and the Grafana page name is a metric of some program.
TEST_F(Metrics, AlertsAndDashboardNameMetricsThatThereAre) {
  StartWatched();
  ASSERT_TRUE(WaitFor([&] { return Status().has_last_evaluation(); }));
  std::string all;
  for (const std::string& target : targets_) absl::StrAppend(&all, Get(target, "/metrics"));
  for (const char* file : {"alerts.yml", "grafana/dashboards/downpour.json"}) {
    const std::string text = FileText(absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/monitoring/", file));
    const std::regex name("downpour_[a-z_]+");
    for (std::sregex_iterator match(text.begin(), text.end(), name), end; match != end; ++match)
      EXPECT_THAT(all, HasSubstr(absl::StrCat("\n", match->str()))) << file;
  }
}

TEST_F(Metrics, AnAddressThatIsTakenIsRefusedAtOnce) {
  more_settings_ = {"--metrics=127.0.0.1:0"};
  StartCoordinator();
  const std::string taken = MetricsAddressIn(run_dir_ + "/log.txt");
  const auto server = Start("downpour-server", {"--state_dir=" + folder_ + "/state", "--metrics=" + taken});
  EXPECT_EQ(server->Wait(), kExitFailed);
  EXPECT_THAT(server->Output(), HasSubstr(absl::StrCat("cannot listen at ", taken)));
  const auto worker = Start("downpour-worker", {"--metrics=nowhere"});
  EXPECT_EQ(worker->Wait(), kExitUsage);
  EXPECT_THAT(worker->Output(), HasSubstr("address is 'nowhere', want host:port"));
}

class Health : public Processes {
 protected:
  int Check(const std::string& address, const std::string& service) const {
    return Start("downpour-health", {address, "--service=" + service, "--timeout=2s"})->Wait();
  }
};

TEST_F(Health, ServersThatMakeProgressAreServing) {
  StartAll();
  WaitForUpdates(100);
  EXPECT_EQ(Check(address_, ""), 0);
  EXPECT_EQ(Check(address_, "downpour.ClusterCoordinator"), 0);
  EXPECT_EQ(Check(address_, "downpour.ParameterServer"), kExitUsage) << "it is no shard";
  JoinRequest request;
  request.set_evaluator(true);
  const std::string shard = Join(request).shards(0).address();
  EXPECT_EQ(Check(shard, "downpour.ParameterServer"), 0);
  shards_[0]->KillAndWait();
  EXPECT_EQ(Check(shard, "downpour.ParameterServer"), kExitFailed);
}

}  // namespace
}  // namespace downpour
