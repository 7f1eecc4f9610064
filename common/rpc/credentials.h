// Where on the data's way: at both ends of the wire; TLS with a certificate on both sides, or none.
#ifndef DOWNPOUR_COMMON_RPC_CREDENTIALS_H_
#define DOWNPOUR_COMMON_RPC_CREDENTIALS_H_

#include <grpcpp/security/auth_context.h>

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/tls/identity.h"
#include "common/tls/permissions.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
namespace experimental {
class CertificateProviderInterface;
}
}  // namespace grpc

namespace downpour {

// What gRPC needs of a Security. Both ends of a connection show a certificate of the authority, and neither
// looks at host names: a client looks for the role that its peer must have, and a server for the role of each
// call. Thread-safe; one for each process, as connections are shared only where this is the same.
class Credentials {
 public:
  explicit Credentials(Security security);
  ~Credentials();

  const Security& security() const { return security_; }
  bool has_tls() const { return security_.identity != nullptr; }

  // For connections to a server whose certificate has `role`; empty: any. Connections to others fail, and the
  // status of their calls, UNAVAILABLE, says which role was seen.
  std::shared_ptr<grpc::ChannelCredentials> ForPeer(const std::string& role) ABSL_LOCKS_EXCLUDED(mutex_);
  // For a server, which answers PERMISSION_DENIED to calls that CheckMayCall() refuses.
  std::shared_ptr<grpc::ServerCredentials> ForServer() const;

 private:
  const Security security_;
  const std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider_;  // null: no TLS
  absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<grpc::ChannelCredentials>> by_role_ ABSL_GUARDED_BY(mutex_);
};

// Who has sent a request on a connection with this context.
Caller CallerOf(const grpc::AuthContext& context);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_CREDENTIALS_H_
