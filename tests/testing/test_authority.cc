// Where on the data's way: for tests of connections; makes keys and certificates by OpenSSL.
#include "tests/testing/test_authority.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/tls/permissions.h"

namespace downpour {
namespace {

PrivateKeyPointer NewKey() {
  PrivateKeyPointer key(EVP_EC_gen("P-256"));
  DOWNPOUR_CHECK(key != nullptr);
  return key;
}

template <typename Write>
std::string Pem(Write write) {
  const std::unique_ptr<BIO, OpenSslFree<BIO_free>> bio(BIO_new(BIO_s_mem()));
  DOWNPOUR_CHECK(bio != nullptr && write(bio.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}
std::string PemOf(X509* certificate) {
  return Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}
std::string PemOf(EVP_PKEY* key) {
  return Pem(
      [&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

void Extend(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  DOWNPOUR_CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// Not signed yet; the issuer is named as every authority here is.
X509Pointer Begin(EVP_PKEY* key, const std::string& name, absl::Time from, absl::Time to) {
  X509Pointer made(X509_new());
  static long serial = 0;
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(made.get()), absl::ToTimeT(from));
  ASN1_TIME_set(X509_getm_notAfter(made.get()), absl::ToTimeT(to));
  X509_set_pubkey(made.get(), key);
  const auto add = [](X509_NAME* to_name, const std::string& text) {
    X509_NAME_add_entry_by_txt(to_name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0);
  };
  add(X509_get_subject_name(made.get()), name);
  add(X509_get_issuer_name(made.get()), "authority");
  return made;
}

}  // namespace

TestAuthority::TestAuthority()
    : key_(NewKey()), certificate_(Begin(key_.get(), "authority", MiddleOf(2000), MiddleOf(2110))) {
  Extend(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  DOWNPOUR_CHECK(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
}

std::shared_ptr<TlsIdentity> TestAuthority::Issue(const Wanted& wanted) const {
  const PrivateKeyPointer key = NewKey();
  const X509Pointer made = Begin(key.get(), "process", wanted.from, wanted.to);
  if (!wanted.uris.empty()) {
    Extend(made.get(), certificate_.get(), NID_subject_alt_name,
           absl::StrCat("URI:", absl::StrJoin(wanted.uris, ",URI:")));
  }
  if (!wanted.purposes.empty()) Extend(made.get(), certificate_.get(), NID_ext_key_usage, wanted.purposes);
  DOWNPOUR_CHECK(X509_sign(made.get(), key_.get(), EVP_sha256()) > 0);
  auto identity = std::make_shared<TlsIdentity>();
  identity->ca = PemOf(certificate_.get());
  identity->certificate = PemOf(made.get());
  identity->key = PemOf(key.get());
  identity->roles = RolesOf(*made);
  identity->expires = ExpiryOf(*made);
  return identity;
}

std::shared_ptr<TlsIdentity> TestAuthority::Issue(const std::vector<std::string>& roles) const {
  Wanted wanted;
  for (const std::string& role : roles) wanted.uris.push_back("downpour://role/" + role);
  return Issue(wanted);
}

TlsIdentity::Files WriteIdentity(const TlsIdentity& identity, const std::string& folder) {
  std::filesystem::create_directories(folder);
  const TlsIdentity::Files files = {folder + "/ca.pem", folder + "/certificate.pem", folder + "/key.pem"};
  std::ofstream(files.ca) << identity.ca;
  std::ofstream(files.certificate) << identity.certificate;
  std::ofstream(files.key) << identity.key;
  DOWNPOUR_CHECK(chmod(files.key.c_str(), 0600) == 0);
  return files;
}

}  // namespace downpour
