// Where on the data's way: at both ends of the wire; a process's certificate, and the authority it believes.
#ifndef DOWNPOUR_COMMON_TLS_IDENTITY_H_
#define DOWNPOUR_COMMON_TLS_IDENTITY_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/program/host_port.h"

namespace downpour {

// What a process proves who it is with. deploy/certificates makes the three files, and deploy/README.md says
// what those of another authority need. A value; its contents are checked.
struct TlsIdentity {
  struct Files {
    std::string ca;           // certificates of the authority, in PEM
    std::string certificate;  // of this process, then those between it and the authority, if there are any
    std::string key;          // of that certificate, without a password
  };

  // Reads the files. `now` is the time of day. Each message begins with the file's name. NOT_FOUND: a file is
  // not there. INVALID_ARGUMENT: it is no PEM of its kind, or the key is of another certificate.
  // FAILED_PRECONDITION: others may read the key's file; or the certificate is not of this authority, not
  // valid at `now`, not for what its roles do (client, server), or names no role. Others as ReadFile().
  static absl::StatusOr<std::shared_ptr<const TlsIdentity>> Read(const Files& files, absl::Time now);

  std::string ca, certificate, key;  // the files' contents
  std::vector<std::string> roles;    // of the certificate (common/tls/permissions.h)
  absl::Time expires;                // of the certificate

  // The index of the shard whose role the certificate has; none: it has none, or several.
  std::optional<uint32_t> Shard() const;
};

// How a process talks to others.
struct Security {
  std::shared_ptr<const TlsIdentity> identity;  // null: without TLS
  bool insecure = false;                        // it may listen off loopback without TLS
};

// INVALID_ARGUMENT: to listen at `where` would let other machines connect without TLS.
absl::Status CheckMayListen(const HostPort& where, const Security& security);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TLS_IDENTITY_H_
