// Where on the data's way: at the server's end of the wire; a socket that listens, and the loop that accepts.
#include "common/rpc/connection_acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/program/descriptor_limit.h"
#include "common/program/logging.h"

namespace downpour {
namespace {

// An invalid descriptor if that address cannot be listened at.
FileDescriptor ListenAtAddress(const addrinfo& address) {
  FileDescriptor listener(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return listener;
  const int yes = 1, no = 0;
  // A restarted program takes its port again though connections of the old one are not forgotten yet.
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  // Connections inherit this; and [::] stands for IPv4, too, as with gRPC's listener.
  setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  if (address.ai_family == AF_INET6) setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  if (bind(listener.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      listen(listener.get(), SOMAXCONN) != 0) {
    return FileDescriptor();
  }
  return listener;
}

int PortOf(const FileDescriptor& listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> ConnectionAcceptor::Listen(const std::string& host,
                                                                               int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* addresses = nullptr;
  const bool bracketed = absl::StartsWith(host, "[") && absl::EndsWith(host, "]");
  const std::string name = bracketed ? host.substr(1, host.size() - 2) : host;
  FileDescriptor listener;
  if (getaddrinfo(name.c_str(), absl::StrCat(port).c_str(), &hints, &addresses) == 0) {
    for (const addrinfo* address = addresses; address != nullptr && !listener.valid();
         address = address->ai_next)
      listener = ListenAtAddress(*address);
    freeaddrinfo(addresses);
  }
  if (!listener.valid()) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen at ", host, ":", port,
                     ": the port is in use, or the host is not an address of this machine"));
  }
  const int taken = PortOf(listener);
  return std::unique_ptr<ConnectionAcceptor>(new ConnectionAcceptor(std::move(listener), taken));
}

void ConnectionAcceptor::Start(std::function<void(int listener, int connection)> take) {
  thread_ = std::thread([this, take = std::move(take)] { Accept(take); });
}

void ConnectionAcceptor::Stop() {
  shutdown(listener_.get(), SHUT_RDWR);  // ends accept4()
  if (thread_.joinable()) thread_.join();
  listener_.Close();
}

void ConnectionAcceptor::Accept(const std::function<void(int listener, int connection)>& take) const {
  const int end = ConnectionDescriptorsEnd();
  for (uint64_t refused = 0;;) {
    const int connection = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection >= 0 && connection < end) {
      take(listener_.get(), connection);
      continue;
    }
    if (connection < 0) {
      if (errno == EINVAL || errno == EBADF) return;  // shut down
      // A connection may have ended before it was accepted; other causes need time to pass.
      if (errno != ECONNABORTED && errno != EINTR) absl::SleepFor(absl::Milliseconds(50));
      if (errno != EMFILE && errno != ENFILE) continue;
    } else {
      close(connection);
    }
    if (std::has_single_bit(++refused)) {
      LogWarning("refused a connection to port ", port_, ": all descriptors below ", end,
                 " are in use; raise the hard limit of open files (", refused, " refused so far)");
    }
  }
}

}  // namespace downpour
