// Where on the data's way: before a connection; the flags of every program that has connections.
#ifndef DOWNPOUR_COMMON_TLS_TLS_FLAGS_H_
#define DOWNPOUR_COMMON_TLS_TLS_FLAGS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/tls/identity.h"

namespace downpour {

// What --tls_ca, --tls_certificate, --tls_key and --insecure say; their help is in a program that calls this.
// `roles`: those that a process of this program may have (common/tls/permissions.h); empty: any. Logs a
// warning if the certificate expires within two weeks. INVALID_ARGUMENT: only some of the three are set, or
// --insecure beside them. PERMISSION_DENIED: the certificate has none of the roles. Others as
// TlsIdentity::Read().
absl::StatusOr<Security> SecurityFromFlags(absl::Span<const absl::string_view> roles = {});

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TLS_TLS_FLAGS_H_
