// Where on the data's way: before a connection; from flags to a certificate that is read and checked.
#include "common/tls/tls_flags.h"

#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "common/tls/permissions.h"

ABSL_FLAG(std::string, tls_ca, "",
          "certificate of the cluster's authority, in PEM. With this, --tls_certificate and --tls_key every "
          "connection is encrypted, both ends show a certificate of this authority, and each call is checked "
          "for the caller's role. deploy/certificates makes all three; empty: no TLS, on loopback only");
ABSL_FLAG(std::string, tls_certificate, "",
          "certificate of this process, in PEM; it names its role, as downpour://role/worker, by a URI among "
          "its subject alternative names");
ABSL_FLAG(std::string, tls_key, "", "private key of --tls_certificate, in PEM, of mode 0600");
ABSL_FLAG(bool, insecure, false,
          "listen off loopback without TLS: whoever reaches the port can read, train and spoil the run");

namespace downpour {
namespace {

constexpr absl::Duration kSoon = absl::Hours(24 * 14);

}  // namespace

absl::StatusOr<Security> SecurityFromFlags(absl::Span<const absl::string_view> roles) {
  const TlsIdentity::Files files = {absl::GetFlag(FLAGS_tls_ca), absl::GetFlag(FLAGS_tls_certificate),
                                    absl::GetFlag(FLAGS_tls_key)};
  Security security;
  security.insecure = absl::GetFlag(FLAGS_insecure);
  if (files.ca.empty() && files.certificate.empty() && files.key.empty()) return security;
  for (const auto& [flag, value] :
       {std::pair("--tls_ca", files.ca), std::pair("--tls_certificate", files.certificate),
        std::pair("--tls_key", files.key)}) {
    if (!value.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        flag, " is not set, want all of --tls_ca, --tls_certificate and --tls_key, or none of them"));
  }
  if (security.insecure) {
    return absl::InvalidArgumentError(
        "--insecure and --tls_certificate are both set, want one: with a certificate nothing is insecure");
  }
  const absl::Time now = Clock::Real()->WallNow();
  ASSIGN_OR_RETURN(security.identity, TlsIdentity::Read(files, now));
  if (!roles.empty())
    RETURN_IF_ERROR(
        Caller(security.identity->roles).Check(roles, absl::StrCat("--tls_certificate=", files.certificate)));
  if (const absl::Time expires = security.identity->expires; expires - now < kSoon) {
    LogWarning(files.certificate, " expires at ", absl::FormatTime(expires, absl::UTCTimeZone()),
               "; have the authority make another, and start this program anew with it");
  }
  return security;
}

}  // namespace downpour
