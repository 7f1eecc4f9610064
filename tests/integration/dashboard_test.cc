// Where on the data's way: the live page, in a browser: curves grow, the dead show, many replicas stay
// readable, and what is broken is named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/program/host_port.h"
#include "common/program/run_program.h"
#include "deploy/dashboard/dashboard_server.h"
#include "tests/testing/browser.h"
#include "tests/testing/free_port.h"
#include "tests/testing/processes.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Runs are in `folder_`; the browser has the page of them open.
class Dashboard : public Processes {
 protected:
  void StartDashboard(std::vector<std::string> more = {}) {
    const std::string port_file = folder_ + "/dashboard_port";
    more.insert(more.end(), {"--runs=" + folder_, "--listen=127.0.0.1:0", "--port_file=" + port_file});
    dashboard_ = Start("downpour-dashboard", more);
    ASSERT_TRUE(WaitFor([&] { return !FileText(port_file).empty(); })) << dashboard_->Output();
    dashboard_address_ = std::string(absl::StripAsciiWhitespace(FileText(port_file)));
  }
  httplib::Result Get(const std::string& path) const {
    const HostPort where = *ParseHostPort(dashboard_address_);
    return httplib::Client(where.host, where.port).Get(path);
  }
  std::string Url(const std::string& query = "") const {
    return absl::StrCat("http://", dashboard_address_, "/", query);
  }
  // The replicas that are in the cluster, without a worker's process behind them.
  void JoinAsReplicas(int count) {
    JoinRequest join;
    *join.mutable_data() = stub_->Call(&ClusterCoordinator::Stub::Describe, DescribeRequest())->data();
    for (int i = 0; i < count; ++i) {
      join.set_host(absl::StrCat("node-", 100 + i / 8));
      const JoinReply joined = Join(join);
      ReportRequest& report = reports_.emplace_back();
      report.set_replica_id(joined.replica_id());
      report.set_incarnation(joined.incarnation());
      report.set_token(joined.token());
    }
  }
  // Each has read a minibatch more and pushed it; every seventh only half the time.
  void Report() {
    ++round_;
    for (size_t i = 0; i < reports_.size(); ++i) {
      ReportRequest& report = reports_[i];
      report.set_report(report.report() + 1);
      report.clear_staleness();
      if (i % 7 != 3 || round_ % 4 == 0) {
        report.set_minibatches(report.minibatches() + 1);
        report.set_frames(report.frames() + 10);
        report.set_loss_sum(report.loss_sum() + 20);
        report.set_pushes_applied(report.pushes_applied() + 1);
        report.add_staleness(i % 40);
      }
      ASSERT_TRUE(stub_->Call(&ClusterCoordinator::Stub::Report, report).ok());
    }
  }
  void Picture(Browser& browser, const std::string& name) const {
    // For whoever wants to look at the pages.
    const char* pictures = std::getenv("DOWNPOUR_SCREENSHOTS");
    if (pictures != nullptr) browser.Screenshot(absl::StrCat(pictures, "/", name, ".png"));
  }

  std::unique_ptr<ChildProcess> dashboard_;
  std::string dashboard_address_;
  std::vector<ReportRequest> reports_;
  int round_ = 0;
};

class DashboardInBrowser : public Dashboard {
 protected:
  void SetUp() override {
    if (!Browser::IsInstalled()) {
      GTEST_SKIP()
          << "Debian's chromium or chromium-driver is not installed; deploy/packages tests installs them, "
             "where the distribution has them";
    }
    Processes::SetUp();
    browser_ = std::make_unique<Browser>(folder_);
    browser_->Resize(1280, 900);
  }
  void TearDown() override {
    browser_.reset();
    if (!IsSkipped()) Processes::TearDown();
  }
  int Count(absl::string_view selector) {
    int count = -1;
    EXPECT_TRUE(absl::SimpleAtoi(
        browser_->Value(absl::StrCat("document.querySelectorAll(\"", selector, "\").length")), &count));
    return count;
  }
  std::string Text(const std::string& id) {
    return browser_->Value("document.getElementById('" + id + "').innerText");
  }
  // Beyond the window's edge, so that one would have to scroll sideways.
  bool IsTooWide() {
    return browser_->Value("document.documentElement.scrollWidth > window.innerWidth") == "true";
  }

  std::unique_ptr<Browser> browser_;
};

TEST_F(DashboardInBrowser, TheCurveGrowsWhileTheRunTrainsAndAKilledWorkerShowsWithinItsTimeout) {
  StartAll();
  ASSERT_TRUE(WaitFor([&] { return Status().has_last_evaluation() && Status().live_replicas() == 4; }));
  StartDashboard();
  browser_->Open(Url());
  browser_->Value("window.not_loaded_again = 1");
  const int points = Count("#figures figure:first-of-type .point");
  EXPECT_TRUE(WaitFor([&] { return Count("#figures figure:first-of-type .point") >= points + 2; })) << points;
  EXPECT_TRUE(WaitFor([&] { return Count("#replicas tbody tr") == 4; })) << Text("cluster");
  EXPECT_EQ(Count("#shards tbody tr"), 2);
  EXPECT_TRUE(WaitFor([&] { return Text("cluster").find("updates a second") != std::string::npos; }));
  EXPECT_THAT(Text("log"), HasSubstr("joined"));
  Picture(*browser_, "dashboard");

  workers_[0]->KillAndWait();  // replica_timeout_s is 2
  EXPECT_TRUE(WaitFor([&] { return Count("#cluster .gone li") >= 2; }, absl::Seconds(20))) << Text("cluster");
  EXPECT_THAT(Text("cluster"), HasSubstr("taken for dead"));
  EXPECT_TRUE(WaitFor([&] { return Count("#replicas tbody tr") == 2; }));
  shards_[1]->KillAndWait();
  EXPECT_TRUE(WaitFor([&] { return Text("shards").find("lost") != std::string::npos; })) << Text("shards");
  coordinator_->KillAndWait();
  EXPECT_TRUE(WaitFor([&] { return Text("cluster").find("No table of replicas") != std::string::npos; }));
  EXPECT_EQ(browser_->Value("window.not_loaded_again"), "1");
}

TEST_F(DashboardInBrowser, TwoHundredReplicasStayReadable) {
  more_settings_ = {"--cluster.replica_timeout_s=60", "--cluster.warm_start_updates=0"};
  StartAll();
  WaitForUpdates(1);
  for (auto& worker : workers_) worker->Signal(SIGTERM);
  for (auto& worker : workers_) EXPECT_EQ(worker->Wait(), kExitInterrupted);
  JoinAsReplicas(200);
  StartDashboard();
  browser_->Open(Url());
  ASSERT_TRUE(WaitFor([&] {
    Report();
    return Count("#replicas tbody tr") == 200 && Count("#replicas tr.slow") >= 20;
  })) << Text("cluster");
  EXPECT_EQ(Count("#cluster .squares i"), 200);
  EXPECT_FALSE(IsTooWide());
  EXPECT_EQ(browser_->Value("document.getElementById('replicas').clientHeight < 500"), "true")
      << "the table scrolls in itself";
  Picture(*browser_, "dashboard_200");
  browser_->PreferDark(true);
  browser_->Value("document.getElementById('replicas').scrollIntoView()");
  Picture(*browser_, "dashboard_200_dark");

  // By keyboard alone: to the table's heading, and the slow ones come first.
  browser_->Value("document.querySelector('[data-key=sort-speed]').focus()");
  browser_->Press(Browser::kEnter);
  ASSERT_TRUE(WaitFor([&] {
    Report();
    return Count("#replicas tbody tr:first-child.slow") == 1;
  }));
  EXPECT_THAT(browser_->Value("location.search"), HasSubstr("order=speed"));

  browser_->PreferDark(false);
  browser_->Resize(390, 844, /*phone=*/true);
  browser_->Open(Url());
  ASSERT_TRUE(WaitFor([&] { return Count("#replicas tbody tr") == 200; }));
  EXPECT_FALSE(IsTooWide());
  Picture(*browser_, "dashboard_phone");
}

TEST_F(DashboardInBrowser, RunsAreComparedSideBySideByKeyboard) {
  for (const char* run : {"one", "two"}) {
    fs::create_directories(folder_ + "/" + run);
    std::ofstream(absl::StrCat(folder_, "/", run, "/run.textproto")) << "name: \"" << run << "\"\n";
    std::ofstream(absl::StrCat(folder_, "/", run, "/frame_accuracy.csv"))
        << "updates,test_frame_accuracy\n0,0.1\n100,0.2\n";
  }
  StartDashboard();
  browser_->Open(Url("?run=one"));
  EXPECT_EQ(Count("#figures figure:first-of-type polyline, #figures figure:first-of-type path.line"), 1);
  browser_->Value("document.querySelector('[data-key=choose-two]').focus()");
  browser_->Press(Browser::kSpace);
  // A new line comes in for the run that is shown, and the box stays ticked.
  std::ofstream(folder_ + "/one/frame_accuracy.csv", std::ios::app) << "200,0.3\n";
  ASSERT_TRUE(WaitFor([&] { return Count("#figures figure:first-of-type .point") >= 3; }));
  EXPECT_EQ(browser_->Value("document.querySelector('[data-key=choose-two]').checked"), "true");
  EXPECT_EQ(browser_->Value("document.activeElement.dataset.key"), "choose-two");
  browser_->Press(Browser::kEnter);
  ASSERT_TRUE(WaitFor([&] {
    return Count("#figures figure:first-of-type polyline, #figures figure:first-of-type path.line") == 2;
  })) << browser_->Value("location.search");
  EXPECT_THAT(Text("downloads"), AllOf(HasSubstr("one as CSV"), HasSubstr("two as CSV")));
}

TEST_F(DashboardInBrowser, ARunFolderWithBrokenFilesShowsWhatIsBroken) {
  const std::string run = folder_ + "/broken";
  fs::create_directories(run);
  std::ofstream(run + "/run.textproto") << "name: \"broken\" budget { updates: <script>alert(1)</script> }\n";
  std::ofstream(run + "/frame_accuracy.csv")
      << "updates,test_frame_accuracy\n0,0.1\n100,nonsense\n200,0.3,7\n300,0.4\n400,0.";
  std::ofstream(run + "/staleness.csv") << "staleness,pushes\n-1,5\n3,10\n";
  std::ofstream(run + "/log.txt") << "a <b>line</b> with \x1b[31mcolors\nand a second\n";
  StartDashboard();
  browser_->Open(Url("?run=broken"));
  const std::string figures = Text("figures");
  EXPECT_THAT(figures, HasSubstr("run.textproto"));
  EXPECT_THAT(figures, HasSubstr("frame_accuracy.csv:3: line left out: \"nonsense\" is not a number"));
  EXPECT_THAT(figures, HasSubstr("frame_accuracy.csv:4"));
  EXPECT_THAT(figures, HasSubstr("frame_accuracy.csv:6"));
  EXPECT_THAT(figures, HasSubstr("staleness.csv: 1 lines left out"));
  EXPECT_EQ(Count("#figures figure:first-of-type .point"), 2) << "what is whole is drawn";
  EXPECT_THAT(Text("cluster"), HasSubstr("run.textproto")) << "what is broken is said at the top";
  EXPECT_FALSE(IsTooWide());
  EXPECT_THAT(Text("log"), HasSubstr("a <b>line</b> with \\x1b[31mcolors"));
  Picture(*browser_, "dashboard_broken");
}

TEST_F(Dashboard, OnlyReadsAndOnlyRuns) {
  fs::create_directories(folder_ + "/runs/one");
  std::ofstream(folder_ + "/runs/one/frame_accuracy.csv") << "updates,test_frame_accuracy\n0,0.1\n";
  std::ofstream(folder_ + "/frame_accuracy.csv.secret") << "secret\n";
  StartDashboard();
  const HostPort where = *ParseHostPort(dashboard_address_);
  EXPECT_EQ(Get("/frame_accuracy.csv?run=runs/one")->body, "updates,test_frame_accuracy\n0,0.1\n");
  EXPECT_THAT(Get("/report.svg?run=runs/one")->body, HasSubstr("<svg"));
  for (const char* path :
       {"/frame_accuracy.csv?run=..", "/frame_accuracy.csv?run=runs", "/frame_accuracy.csv",
        "/frame_accuracy.csv?run=runs/one/../one", "/train/feats.scp", "/runs/one/log.txt"})
    EXPECT_EQ(Get(path)->status, 404) << path;
  httplib::Client client(where.host, where.port);
  for (const char* path : {"/", "/events", "/frame_accuracy.csv?run=runs/one"})
    EXPECT_EQ(client.Post(path)->status, 404) << path;
  const httplib::Result page = Get("/?run=%3Cscript%3E");
  EXPECT_THAT(page->body, Not(HasSubstr("<script>")));
  EXPECT_THAT(page->get_header_value("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  for (const char* outside : {"http://", "https://", "url("})
    EXPECT_THAT(Get("/page.css")->body + Get("/page.js")->body, Not(HasSubstr(outside)));
}

TEST_F(Dashboard, StopsAtOnceThoughSomebodyWatches) {
  fs::create_directories(folder_ + "/one");
  std::ofstream(folder_ + "/one/frame_accuracy.csv") << "updates,test_frame_accuracy\n0,0.1\n";
  StartDashboard();
  std::atomic<bool> watching = false;
  std::thread viewer([&] {
    const HostPort where = *ParseHostPort(dashboard_address_);
    httplib::Client(where.host, where.port).Get("/events", [&](const char*, size_t) {
      return watching = true;
    });
  });
  EXPECT_TRUE(WaitFor([&] { return watching.load(); }));
  dashboard_->Signal(SIGINT);
  EXPECT_EQ(dashboard_->Wait(absl::Seconds(10)), kExitInterrupted);
  viewer.join();
}

// Each viewer holds a thread of the server, and some are left for the page itself.
TEST_F(Dashboard, MoreViewersThanThereIsRoomForAreRefusedAndThePageIsStillServed) {
  StartDashboard();
  const HostPort where = *ParseHostPort(dashboard_address_);
  std::atomic<int> watching = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> viewers;
  for (int i = 0; i < DashboardServer::kMostViewers; ++i) {
    viewers.emplace_back([&] {
      bool counted = false;
      httplib::Client client(where.host, where.port);
      client.set_read_timeout(60);
      client.Get("/events", [&](const char*, size_t) {
        if (!std::exchange(counted, true)) ++watching;
        return !stop;
      });
    });
  }
  EXPECT_TRUE(WaitFor([&] { return watching == DashboardServer::kMostViewers; })) << watching;
  EXPECT_EQ(Get("/events")->status, 503);
  EXPECT_EQ(Get("/")->status, 200);
  stop = true;
  dashboard_->Signal(SIGTERM);
  EXPECT_EQ(dashboard_->Wait(absl::Seconds(20)), kExitInterrupted);
  for (std::thread& viewer : viewers) viewer.join();
}

TEST_F(Dashboard, DeployLocalServesThePageUntilTheRunEnds) {
  std::ofstream(folder_ + "/toy.textproto") << "name: \"toy\"\n";
  dashboard_address_ = absl::StrCat("127.0.0.1:", FreePort());
  std::vector<std::string> command = {absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/local"),
                                      folder_ + "/toy.textproto", "--run_dir=" + run_dir_,
                                      "--cluster.replicas=2", "--dashboard=" + dashboard_address_};
  const std::vector<std::string> settings = Settings();
  command.insert(command.end(), settings.begin(), settings.end());
  setenv("DOWNPOUR_BIN", DOWNPOUR_PROGRAM_DIR, 1);
  ChildProcess local(command, folder_ + "/local.out");
  EXPECT_TRUE(WaitFor([&] {
    const httplib::Result page = Get("/");
    return page && absl::StrContains(page->body, "2 replicas: ");
  })) << local.Output();
  local.Signal(SIGINT);
  EXPECT_EQ(local.Wait(), kExitInterrupted) << local.Output();
  EXPECT_FALSE(Get("/"));
}

TEST_F(Dashboard, AFolderThatIsNotThereIsRefused) {
  const auto dashboard = Start("downpour-dashboard", {"--runs=" + folder_ + "/none", "--listen=127.0.0.1:0"});
  EXPECT_EQ(dashboard->Wait(), kExitUsage);
  EXPECT_THAT(dashboard->Output(), HasSubstr("want a folder that is there"));
}

}  // namespace
}  // namespace downpour
