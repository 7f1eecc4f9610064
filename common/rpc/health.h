// Where on the data's way: at the server's end of the wire; what gRPC's standard health check is answered.
#ifndef DOWNPOUR_COMMON_RPC_HEALTH_H_
#define DOWNPOUR_COMMON_RPC_HEALTH_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/channel.h"

namespace downpour {

// Every server of ListenAt() answers grpc.health.v1.Health. The service "" is SERVING as long as the server
// answers at all, which is what a liveness probe wants. A service by its name, for example
// "downpour.ParameterServer", is SERVING if it makes progress; until the first call of this it is not known.
void SetMakesProgress(const ListeningServer& server, const std::string& service, bool makes_progress);

// Asks the server at host:port. OK: the service is SERVING. UNAVAILABLE: it is not, or nobody answers within
// `timeout`. NOT_FOUND: the server has no such service. INVALID_ARGUMENT: `address` is not host:port.
// `credentials` may be null: without TLS.
absl::Status CheckHealth(const std::string& address, const std::string& service, absl::Duration timeout,
                         const std::shared_ptr<Credentials>& credentials = nullptr);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_HEALTH_H_
