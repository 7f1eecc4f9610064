// Where on the data's way: at the server's end of the wire; sets and asks gRPC's own health service.
#include "common/rpc/health.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>

#include "absl/strings/str_cat.h"
#include "common/program/host_port.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "proto/health.grpc.pb.h"

namespace downpour {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

void SetMakesProgress(const ListeningServer& server, const std::string& service, bool makes_progress) {
  server.server->GetHealthCheckService()->SetServingStatus(service, makes_progress);
}

absl::Status CheckHealth(const std::string& address, const std::string& service, absl::Duration timeout,
                         const std::shared_ptr<Credentials>& credentials) {
  RETURN_IF_ERROR(ParseHostPort(address).status());
  const std::unique_ptr<Health::Stub> stub = Health::NewStub(ConnectTo(address, {"", credentials}));
  grpc::ClientContext context;
  context.set_deadline(DeadlineIn(timeout));
  context.set_wait_for_ready(true);
  HealthCheckRequest request;
  request.set_service(service);
  HealthCheckResponse response;
  const absl::Status status = FromUncancelledCall(stub->Check(&context, request, &response));
  if (absl::IsDeadlineExceeded(status))
    return absl::UnavailableError(absl::StrCat("nobody answers at ", address));
  RETURN_IF_ERROR(status);
  if (response.status() == HealthCheckResponse::SERVING) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("'", service, "' at ", address, " is ",
                                             HealthCheckResponse::ServingStatus_Name(response.status()),
                                             ", want SERVING"));
}

}  // namespace downpour
