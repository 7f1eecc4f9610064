// Where on the data's way: at both ends of the wire; certificates as OpenSSL has them.
#ifndef DOWNPOUR_COMMON_TLS_X509_H_
#define DOWNPOUR_COMMON_TLS_X509_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace downpour {

template <auto kFree>
struct OpenSslFree {
  template <typename T>
  void operator()(T* owned) const {
    kFree(owned);
  }
};
using X509Pointer = std::unique_ptr<X509, OpenSslFree<X509_free>>;
using PrivateKeyPointer = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using X509StorePointer = std::unique_ptr<X509_STORE, OpenSslFree<X509_STORE_free>>;

// The certificates in `pem`, at least one. INVALID_ARGUMENT: there is none, or one is damaged.
absl::StatusOr<std::vector<X509Pointer>> ParseCertificates(absl::string_view pem);
// INVALID_ARGUMENT: `pem` has no private key, or one with a password.
absl::StatusOr<PrivateKeyPointer> ParsePrivateKey(absl::string_view pem);
// Those whom a certificate must come from.
X509StorePointer TrustOnly(const std::vector<X509Pointer>& authority);

// The roles of the certificate (common/tls/permissions.h).
std::vector<std::string> RolesOf(const X509& certificate);
absl::Time ExpiryOf(const X509& certificate);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TLS_X509_H_
