// Where on the data's way: the coordinator; gives each replica its token, and asks for it with each report.
#ifndef DOWNPOUR_SERVER_COORDINATOR_REPLICA_TOKENS_H_
#define DOWNPOUR_SERVER_COORDINATOR_REPLICA_TOKENS_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/tls/token.h"

namespace downpour {

// The tokens of one run (common/tls/token.h). Without a secret, as in the in-process cluster, there are none,
// and none is wanted. Thread-safe.
class ReplicaTokens {
 public:
  ReplicaTokens(std::string run_secret, std::string run_id)
      : secret_(std::move(run_secret)), run_id_(std::move(run_id)) {}

  const std::string& secret() const { return secret_; }
  std::string Of(uint64_t replica_id, uint64_t incarnation) const {
    return secret_.empty() ? "" : ReplicaToken(secret_, run_id_, replica_id, incarnation);
  }
  // For a ReportRequest or a LeaveRequest. UNAUTHENTICATED: its token is not that of its replica.
  template <typename Request>
  absl::Status Check(const Request& request) const {
    if (secret_.empty()) return absl::OkStatus();
    const uint64_t id = request.replica_id(), incarnation = request.incarnation();
    return CheckToken(request.token(), Of(id, incarnation), id, incarnation);
  }

 private:
  const std::string secret_, run_id_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_REPLICA_TOKENS_H_
