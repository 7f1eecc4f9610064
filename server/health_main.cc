// Where on the data's way: beside it; asks a shard or a coordinator how it is, for watchers of containers.
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/program/run_program.h"
#include "common/rpc/health.h"
#include "common/status_macros.h"
#include "common/tls/tls_flags.h"

ABSL_FLAG(
    std::string, service, "",
    "downpour.ClusterCoordinator or downpour.ParameterServer: whether it makes progress; empty: whether "
    "the program answers at all");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(4), "how long to wait for the answer");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Asks a coordinator or a server by gRPC's standard health check (grpc.health.v1). Exit code 0: it is
SERVING; 1: it is not, or does not answer; 2: it has no such service. A server with TLS answers whoever has a
certificate of its authority, whatever the role.

  downpour-health 127.0.0.1:7100 --service=downpour.ClusterCoordinator)";

absl::Status Check(const CommandLine& command_line) {
  if (command_line.positional.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(command_line.positional.size(), " arguments, want one, host:port; see --help"));
  }
  ASSIGN_OR_RETURN(const Security security, SecurityFromFlags());
  return CheckHealth(command_line.positional[0], absl::GetFlag(FLAGS_service), absl::GetFlag(FLAGS_timeout),
                     std::make_shared<Credentials>(security));
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(
      argc, argv,
      {"downpour-health", downpour::kUsage, downpour::Check, downpour::Program::kPaths,
       /*looks_at_interrupts=*/false});
}
