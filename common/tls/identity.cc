// Where on the data's way: at both ends of the wire; reads three files, looks for what peers would refuse.
#include "common/tls/identity.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/file/file.h"
#include "common/status_macros.h"
#include "common/tls/permissions.h"
#include "common/tls/x509.h"

namespace downpour {
namespace {

absl::Status At(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}
absl::Status Unfit(const std::string& path, absl::string_view why) {
  return At(path, absl::FailedPreconditionError(why));
}

// Kubernetes makes secrets readable for the group of a pod, so the group may read.
absl::Status CheckMode(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return FileError("examine", path);
  const unsigned int mode = info.st_mode & 07777;
  if ((mode & 0027) == 0) return absl::OkStatus();
  return Unfit(path,
               absl::StrFormat("has mode %04o, want 0600 or 0640: a private key is nobody else's", mode));
}

// Whether the first of `chain` comes from the authority, through the others, and is valid at `now`.
absl::Status CheckChain(const std::vector<X509Pointer>& chain, const std::vector<X509Pointer>& authority,
                        absl::Time now) {
  const X509StorePointer trusted = TrustOnly(authority);
  const std::unique_ptr<X509_STORE_CTX, OpenSslFree<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  struct Between {
    STACK_OF(X509) * certificates = sk_X509_new_null();
    ~Between() { sk_X509_free(certificates); }
  } between;
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(between.certificates, chain[i].get());
  DOWNPOUR_CHECK(check != nullptr && X509_STORE_CTX_init(check.get(), trusted.get(), chain.front().get(),
                                                         between.certificates) == 1);
  X509_STORE_CTX_set_time(check.get(), 0, absl::ToTimeT(now));
  if (X509_verify_cert(check.get()) == 1) return absl::OkStatus();
  const int error = X509_STORE_CTX_get_error(check.get());
  if (error == X509_V_ERR_CERT_HAS_EXPIRED) {
    return absl::FailedPreconditionError(
        absl::StrCat("has expired at ", absl::FormatTime(ExpiryOf(*chain.front()), absl::UTCTimeZone()),
                     ": have the authority make another"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("is not a valid certificate of this authority: ", X509_verify_cert_error_string(error)));
}

absl::Status CheckPurpose(X509* certificate, const std::vector<std::string>& roles) {
  for (const std::string& role : roles) {
    const bool serves = role == "coordinator" || ShardOfRole(role).has_value();
    const bool calls = role != "coordinator";
    if (serves && X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) != 1)
      return absl::FailedPreconditionError(
          absl::StrCat("is not for servers (extendedKeyUsage serverAuth), as the role '", role, "' wants"));
    if (calls && X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1)
      return absl::FailedPreconditionError(
          absl::StrCat("is not for clients (extendedKeyUsage clientAuth), as the role '", role, "' wants"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TlsIdentity>> TlsIdentity::Read(const Files& files, absl::Time now) {
  auto identity = std::make_shared<TlsIdentity>();
  ASSIGN_OR_RETURN(identity->ca, ReadFile(files.ca));
  ASSIGN_OR_RETURN(identity->certificate, ReadFile(files.certificate));
  ASSIGN_OR_RETURN(identity->key, ReadFile(files.key));
  RETURN_IF_ERROR(CheckMode(files.key));
  const auto authority = ParseCertificates(identity->ca);
  if (!authority.ok()) return At(files.ca, authority.status());
  const auto chain = ParseCertificates(identity->certificate);
  if (!chain.ok()) return At(files.certificate, chain.status());
  const auto key = ParsePrivateKey(identity->key);
  if (!key.ok()) return At(files.key, key.status());
  X509* const certificate = chain->front().get();
  if (X509_check_private_key(certificate, key->get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(files.key, ": is the key of another certificate than ", files.certificate));
  }
  if (const absl::Status trusted = CheckChain(*chain, *authority, now); !trusted.ok())
    return At(files.certificate, trusted);
  identity->roles = RolesOf(*certificate);
  if (identity->roles.empty()) {
    return Unfit(files.certificate,
                 "names no role, want a URI as downpour://role/worker among its subject alternative names");
  }
  if (const absl::Status fit = CheckPurpose(certificate, identity->roles); !fit.ok())
    return At(files.certificate, fit);
  identity->expires = ExpiryOf(*certificate);
  return identity;
}

std::optional<uint32_t> TlsIdentity::Shard() const {
  std::optional<uint32_t> found;
  for (const std::string& role : roles) {
    const std::optional<uint32_t> shard = ShardOfRole(role);
    if (!shard.has_value()) continue;
    if (found.has_value()) return std::nullopt;
    found = shard;
  }
  return found;
}

absl::Status CheckMayListen(const HostPort& where, const Security& security) {
  if (where.IsLoopback() || security.identity != nullptr || security.insecure) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("will not listen at ", where.HostInUrl(), ":", where.port,
                   ", where other machines may connect, without TLS: want --tls_ca, --tls_certificate and "
                   "--tls_key, or --insecure"));
}

}  // namespace downpour
