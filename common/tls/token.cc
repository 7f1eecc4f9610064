// Where on the data's way: on the wire; OpenSSL's random numbers, HMAC and comparison.
#include "common/tls/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/wire/byte_reader.h"

namespace downpour {
namespace {

constexpr size_t kSecretBytes = 32;
constexpr absl::string_view kPurpose = "downpour replica 1";

}  // namespace

absl::StatusOr<std::string> MakeRunSecret() {
  std::string secret(kSecretBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), static_cast<int>(secret.size())) == 1)
    return secret;
  return absl::UnavailableError("the system gives no random bytes for the run's secret");
}

std::string ReplicaToken(absl::string_view run_secret, absl::string_view run_id, uint64_t replica_id,
                         uint64_t incarnation) {
  // The run's id comes last, since it alone has no fixed length.
  const std::string message = absl::StrCat(kPurpose, BytesOf(replica_id), BytesOf(incarnation), run_id);
  std::string token(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  const unsigned char* const made =
      HMAC(EVP_sha256(), run_secret.data(), static_cast<int>(run_secret.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(),
           reinterpret_cast<unsigned char*>(token.data()), &size);
  DOWNPOUR_CHECK(made != nullptr);
  token.resize(size);
  return token;
}

absl::Status CheckToken(absl::string_view token, absl::string_view wanted, uint64_t replica_id,
                        uint64_t incarnation) {
  if (token.size() == wanted.size() && CRYPTO_memcmp(token.data(), wanted.data(), wanted.size()) == 0)
    return absl::OkStatus();
  return absl::UnauthenticatedError(absl::StrCat("replica ", replica_id, " (incarnation ", incarnation,
                                                 "): the token of ", token.size(),
                                                 " bytes is not the one that it was given: join again"));
}

}  // namespace downpour
