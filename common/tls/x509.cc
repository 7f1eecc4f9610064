// Where on the data's way: at both ends of the wire; from PEM to OpenSSL's objects, and what they say.
#include "common/tls/x509.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <optional>

#include "common/check.h"
#include "common/tls/permissions.h"

namespace downpour {
namespace {

using BioPointer = std::unique_ptr<BIO, OpenSslFree<BIO_free>>;

BioPointer Reader(absl::string_view bytes) {
  BioPointer reader(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  DOWNPOUR_CHECK(reader != nullptr);
  return reader;
}

// OpenSSL would ask the terminal for a password.
int NoPassword(char*, int, int, void*) { return -1; }

void FreeNames(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }

}  // namespace

absl::StatusOr<std::vector<X509Pointer>> ParseCertificates(absl::string_view pem) {
  const BioPointer reader = Reader(pem);
  std::vector<X509Pointer> certificates;
  for (;;) {
    X509Pointer next(PEM_read_bio_X509(reader.get(), nullptr, NoPassword, nullptr));
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty()) return absl::InvalidArgumentError("has no certificate in PEM");
  if (!at_end) return absl::InvalidArgumentError("a certificate in it is damaged");
  return certificates;
}

absl::StatusOr<PrivateKeyPointer> ParsePrivateKey(absl::string_view pem) {
  PrivateKeyPointer key(PEM_read_bio_PrivateKey(Reader(pem).get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  if (key == nullptr)
    return absl::InvalidArgumentError("has no private key in PEM that can be read without a password");
  return key;
}

X509StorePointer TrustOnly(const std::vector<X509Pointer>& authority) {
  X509StorePointer store(X509_STORE_new());
  DOWNPOUR_CHECK(store != nullptr);
  for (const X509Pointer& certificate : authority) X509_STORE_add_cert(store.get(), certificate.get());
  return store;
}

std::vector<std::string> RolesOf(const X509& certificate) {
  const std::unique_ptr<GENERAL_NAMES, OpenSslFree<FreeNames>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> roles;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* const uri = name->d.uniformResourceIdentifier;
    const absl::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                                 static_cast<size_t>(ASN1_STRING_length(uri)));
    if (std::optional<std::string> role = RoleOfUri(text)) roles.push_back(*std::move(role));
  }
  return roles;
}

absl::Time ExpiryOf(const X509& certificate) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace downpour
