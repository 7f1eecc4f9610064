// Where on the data's way: beside it; binds cpp-httplib's server to an address and runs it.
#include "common/http/http_listener.h"

#include <httplib.h>

#include <csignal>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/printable.h"
#include "common/program/host_port.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "common/tls/permissions.h"
#include "common/tls/x509.h"

namespace downpour {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(2);

// Whether the server is as the identity says, and asks each client for a certificate of the authority.
bool SetUpTls(const TlsIdentity& identity, SSL_CTX* context) {
  const auto authority = ParseCertificates(identity.ca);
  const auto chain = ParseCertificates(identity.certificate);
  const auto key = ParsePrivateKey(identity.key);
  if (!authority.ok() || !chain.ok() || !key.ok()) return false;
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_use_certificate(context, chain->front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key->get()) != 1 ||
      SSL_CTX_set1_verify_cert_store(context, TrustOnly(*authority).get()) != 1) {
    return false;
  }
  for (size_t i = 1; i < chain->size(); ++i)
    if (SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) != 1) return false;
  // Each connection is asked, also one that continues another's session.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return true;
}

httplib::Server::HandlerResponse CheckIsObserver(const httplib::Request& request,
                                                 httplib::Response& response) {
  const X509Pointer certificate(request.ssl == nullptr ? nullptr : SSL_get1_peer_certificate(request.ssl));
  const Caller caller(certificate == nullptr ? std::vector<std::string>() : RolesOf(*certificate));
  const absl::Status status = caller.Check({"observer"}, Printable(request.path));
  if (status.ok()) return httplib::Server::HandlerResponse::Unhandled;
  response.status = 403;
  response.set_content(absl::StrCat(status.message(), "\n"), "text/plain; charset=utf-8");
  return httplib::Server::HandlerResponse::Handled;
}

// Null: OpenSSL does not take the identity.
std::unique_ptr<httplib::Server> MakeServer(const TlsIdentity* identity) {
  if (identity == nullptr) return std::make_unique<httplib::Server>();
  auto server =
      std::make_unique<httplib::SSLServer>([&](SSL_CTX& context) { return SetUpTls(*identity, &context); });
  if (!server->is_valid()) return nullptr;
  server->set_pre_routing_handler(CheckIsObserver);
  return server;
}

}  // namespace

HttpListener::HttpListener(std::unique_ptr<httplib::Server> server, std::string address, bool has_tls)
    : server_(std::move(server)),
      address_(std::move(address)),
      url_(absl::StrCat(has_tls ? "https://" : "http://", address_)),
      thread_([this] { server_->listen_after_bind(); }) {}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Start(
    const std::string& address, const Security& security,
    const std::function<void(httplib::Server*)>& set_up) {
  ASSIGN_OR_RETURN(const HostPort where, ParseHostPort(address));
  RETURN_IF_ERROR(CheckMayListen(where, security));
  const TlsIdentity* const identity = where.IsLoopback() ? nullptr : security.identity.get();
  std::unique_ptr<httplib::Server> server = MakeServer(identity);
  if (server == nullptr)
    return absl::InvalidArgumentError("OpenSSL does not take --tls_certificate and --tls_key for HTTPS");
  // A client may go away between the library's look at a connection and its write, at which the signal would
  // end the program.
  std::signal(SIGPIPE, SIG_IGN);
  set_up(server.get());
  // The library's default also sets SO_REUSEPORT, by which two programs could take the same port.
  server->set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  int port = where.port;
  const bool bound =
      port == 0 ? (port = server->bind_to_any_port(where.host)) > 0 : server->bind_to_port(where.host, port);
  if (!bound)
    return absl::UnavailableError(
        absl::StrCat("cannot listen at ", address, ": the port is in use, or the host is not this machine"));
  if (identity == nullptr && !where.IsLoopback())
    LogWarning("HTTP at ", address, " is not encrypted, and whoever can connect may read it");
  std::string taken = absl::StrCat(where.HostInUrl(), ":", port);
  std::unique_ptr<HttpListener> listener(
      new HttpListener(std::move(server), std::move(taken), identity != nullptr));
  // stop() before the server runs would be lost.
  while (!listener->server_->is_running()) Clock::Real()->SleepFor(kPoll);
  return listener;
}

HttpListener::~HttpListener() {
  server_->stop();
  thread_.join();
}

}  // namespace downpour
