// Where on the data's way: beside it; binds cpp-httplib's server to an address and runs it.
#include "common/http/http_listener.h"

#include <httplib.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/program/host_port.h"
#include "common/program/logging.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(2);

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

}  // namespace

HttpListener::HttpListener(std::unique_ptr<httplib::Server> server, std::string address)
    : server_(std::move(server)),
      address_(std::move(address)),
      thread_([this] { server_->listen_after_bind(); }) {}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Start(const std::string& address,
                                                                  std::unique_ptr<httplib::Server> server) {
  ASSIGN_OR_RETURN(const HostPort where, ParseHostPort(address));
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
  if (!IsLoopback(where.host))
    LogWarning("HTTP at ", address, " is not encrypted, and whoever can connect may read it");
  std::string taken = absl::StrCat(where.HostInUrl(), ":", port);
  std::unique_ptr<HttpListener> listener(new HttpListener(std::move(server), std::move(taken)));
  // stop() before the server runs would be lost.
  while (!listener->server_->is_running()) Clock::Real()->SleepFor(kPoll);
  return listener;
}

HttpListener::~HttpListener() {
  server_->stop();
  thread_.join();
}

}  // namespace downpour
