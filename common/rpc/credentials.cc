// Where on the data's way: at both ends of the wire; gRPC's TLS, and what it is asked to look at.
#include "common/rpc/credentials.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/grpc_status.h"

namespace downpour {
namespace {

namespace tls = grpc::experimental;

absl::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// With the roles that the URIs in its certificate name.
Caller CallerWith(const std::vector<grpc::string_ref>& uris) {
  std::vector<std::string> roles;
  for (const grpc::string_ref& uri : uris)
    if (std::optional<std::string> role = RoleOfUri(View(uri))) roles.push_back(*std::move(role));
  return Caller(std::move(roles));
}

// At a client, once gRPC has found that the server's certificate is of the authority and valid now.
class RoleVerifier final : public tls::ExternalCertificateVerifier {
 public:
  explicit RoleVerifier(std::string role) : role_(std::move(role)) {}

  bool Verify(tls::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* status) override {
    *status = ToGrpcStatus(Check(*request));
    return true;  // it is done
  }
  void Cancel(tls::TlsCustomVerificationCheckRequest*) override {}

 private:
  absl::Status Check(const tls::TlsCustomVerificationCheckRequest& request) const {
    if (role_.empty()) return absl::OkStatus();
    return CallerWith(request.uri_names())
        .Check({role_}, absl::StrCat("a server at ", View(request.target_name())));
  }

  const std::string role_;
};

Caller ProvenCaller(const grpc::AuthContext& context) {
  return CallerWith(context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME));
}

// At a server, before each call reaches its service.
class CallChecker final : public grpc::AuthMetadataProcessor {
 public:
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    const auto path = metadata.find(":path");
    const absl::string_view method = path == metadata.end() ? absl::string_view() : View(path->second);
    return ToGrpcStatus(CheckMayCall(ProvenCaller(*context), method));
  }
};

std::shared_ptr<tls::CertificateProviderInterface> ProviderOf(const Security& security) {
  if (security.identity == nullptr) return nullptr;
  // A handshake that fails would be a line of gRPC's beside the one that these programs log themselves.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  const TlsIdentity& identity = *security.identity;
  return std::make_shared<tls::StaticDataCertificateProvider>(
      identity.ca, std::vector<tls::IdentityKeyCertPair>{{identity.key, identity.certificate}});
}

}  // namespace

Credentials::Credentials(Security security)
    : security_(std::move(security)), provider_(ProviderOf(security_)) {}

Credentials::~Credentials() = default;

std::shared_ptr<grpc::ChannelCredentials> Credentials::ForPeer(const std::string& role) {
  if (!has_tls()) return grpc::InsecureChannelCredentials();
  absl::MutexLock lock(&mutex_);
  std::shared_ptr<grpc::ChannelCredentials>& credentials = by_role_[role];
  if (credentials != nullptr) return credentials;
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(provider_);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_check_call_host(false);
#ifndef __clang_analyzer__  // which does not see that gRPC owns the verifier
  options.set_certificate_verifier(tls::ExternalCertificateVerifier::Create<RoleVerifier>(role));
#endif
  credentials = tls::TlsCredentials(options);
  return credentials;
}

std::shared_ptr<grpc::ServerCredentials> Credentials::ForServer() const {
  if (!has_tls()) return grpc::InsecureServerCredentials();
  tls::TlsServerCredentialsOptions options(provider_);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  // A server takes any certificate of the authority, and then asks for the role of each call.
  options.set_certificate_verifier(std::make_shared<tls::NoOpCertificateVerifier>());
  std::shared_ptr<grpc::ServerCredentials> credentials = tls::TlsServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<CallChecker>());
  return credentials;
}

Caller CallerOf(const grpc::AuthContext& context) {
  const auto types = context.FindPropertyValues(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME);
  const bool has_tls = !types.empty() && types.front() != "insecure";
  return has_tls ? ProvenCaller(context) : Caller::Unproven();
}

}  // namespace downpour
