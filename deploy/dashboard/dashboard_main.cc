// Where on the data's way: the live page's program; shows a folder of runs, while they train and later.
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/program/interrupt.h"
#include "common/program/logging.h"
#include "common/program/run_program.h"
#include "common/rpc/coordinator_stub.h"
#include "common/status_macros.h"
#include "common/tls/tls_flags.h"
#include "deploy/dashboard/dashboard_server.h"

ABSL_FLAG(std::string, runs, "runs", "folder of runs, or one run folder");
ABSL_FLAG(std::string, listen, "127.0.0.1:7300", "host:port to serve the page at; port 0 takes a free one");
ABSL_FLAG(std::string, coordinator, "",
          "host:port of the coordinator of the run under way, where the address in its run folder leads "
          "nowhere from here, as in a container; empty: that address");
ABSL_FLAG(std::string, port_file, "", "if set, host:port is written to this file as soon as it listens");
ABSL_FLAG(bool, verbose, false, "log everything to the terminal, not warnings only");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Shows the runs of a folder in a browser, those under way too: curves, replicas, shards and logs, which
change as the runs do. It only reads. Ctrl-C stops it.

  downpour-dashboard --runs=runs --listen=127.0.0.1:7300

On loopback the page is plain HTTP: reach another machine's by `ssh -L 7300:127.0.0.1:7300 MACHINE`. Elsewhere
it is HTTPS, and a browser must show a certificate of the cluster's authority with the role observer. A cluster
with TLS is asked with the certificate of --tls_certificate, whose role is observer, too.)";

constexpr absl::Duration kTick = absl::Milliseconds(100);

// Not thread-safe: Page asks for one run after the other.
class Coordinators {
 public:
  explicit Coordinators(const Security& security) : credentials_(std::make_shared<Credentials>(security)) {}

  absl::StatusOr<Overview> Ask(const std::string& address) {
    std::unique_ptr<CoordinatorStub>& stub = stubs_[address];
    if (stub == nullptr) {
      CoordinatorStub::Options options;
      options.address = address;
      options.credentials = credentials_;
      options.retry.give_up_after = absl::ZeroDuration();
      options.rpc_timeout = absl::Seconds(1);
      stub = std::make_unique<CoordinatorStub>(options);
    }
    return stub->Call(&ClusterCoordinator::Stub::GetOverview, OverviewRequest());
  }

 private:
  const std::shared_ptr<Credentials> credentials_;
  std::map<std::string, std::unique_ptr<CoordinatorStub>> stubs_;
};

absl::Status Serve(const CommandLine& /*command_line*/) {
  const std::string runs = absl::GetFlag(FLAGS_runs);
  if (std::error_code error; !std::filesystem::is_directory(runs, error))
    return absl::NotFoundError(absl::StrCat("--runs is ", runs, ", want a folder that is there"));
  RETURN_IF_ERROR(SetUpLogging("dashboard", "", absl::GetFlag(FLAGS_verbose)));
  ASSIGN_OR_RETURN(const Security security, SecurityFromFlags({"observer"}));
  Coordinators coordinators(security);
  Page page(
      runs, absl::GetFlag(FLAGS_coordinator),
      [&](const std::string& address) { return coordinators.Ask(address); }, Clock::Real());
  ASSIGN_OR_RETURN(const auto server,
                   DashboardServer::Start(absl::GetFlag(FLAGS_listen), security, &page, Clock::Real()));
  if (const std::string file = absl::GetFlag(FLAGS_port_file); !file.empty())
    RETURN_IF_ERROR(ReplaceFile(file, {server->address(), "\n"}));
  std::cout << server->url() << "/" << std::endl;
  while (!Interrupted()) Clock::Real()->SleepFor(kTick);
  return absl::CancelledError("stopped");
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(
      argc, argv, {"downpour-dashboard", downpour::kUsage, downpour::Serve, downpour::Program::kNothing});
}
