// Where on the data's way: at both ends of the wire; channels and servers, set up alike in all programs.
#ifndef DOWNPOUR_COMMON_RPC_CHANNEL_H_
#define DOWNPOUR_COMMON_RPC_CHANNEL_H_

#include <grpc/support/time.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/connection_acceptor.h"
#include "common/rpc/credentials.h"

namespace grpc {
class Channel;
class Server;
class Service;
}  // namespace grpc

namespace downpour {

inline constexpr int kMostMessageBytes = 4 * 1024 * 1024;
inline constexpr int kMostStreams = 128;

// Whom a client expects at an address, and how it proves who it is itself.
struct Peer {
  std::string role;                          // that the certificate must have; empty: any
  std::shared_ptr<Credentials> credentials;  // null: without TLS
};

// A channel to host:port. Those of one process share a TCP connection if `address`, `connection` and `peer` are
// equal.
std::shared_ptr<grpc::Channel> ConnectTo(const std::string& address, const Peer& peer = {},
                                         int connection = 0);

// Waits until the channel is connected. Call it before each RPC: gRPC connects only while a thread waits for
// it, and none does between RPCs that fail fast. UNAVAILABLE: nobody answers at `address` within a second.
absl::Status AwaitConnection(grpc::Channel& channel, const std::string& address);

// A deadline for gRPC, which no change of the system's time moves.
inline gpr_timespec DeadlineIn(absl::Duration duration) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(duration), GPR_TIMESPAN));
}

// Lets no more connections and calls in, gives calls under way a second to end, then cancels them.
struct ShutDownServer {
  std::shared_ptr<ConnectionAcceptor> acceptor;
  void operator()(grpc::Server* server) const;
};

struct ListeningServer {
  std::unique_ptr<grpc::Server, ShutDownServer> server;  // serves until destroyed
  std::string address;                                   // host:port, with the port that was taken
};

struct ListenOptions {
  std::shared_ptr<Credentials> credentials;  // null: without TLS, and on loopback only
  int most_message_bytes = kMostMessageBytes;
};

// Serves `services` (not owned; they outlive the server), and gRPC's standard health check
// (common/rpc/health.h), at host:port; port 0 takes a free one. A call with a compressed message ends with
// UNIMPLEMENTED, one with a message that is longer than `most_message_bytes` with RESOURCE_EXHAUSTED. With TLS,
// a caller without a certificate of the authority does not get through, and one without a role for a method is
// answered PERMISSION_DENIED. A client has kMostStreams calls under way on a connection at most; more wait at
// the client. Connections are closed that are idle for a minute, or that do not complete HTTP/2's handshake
// within ten seconds, and those for which there is no descriptor (ConnectionAcceptor). INVALID_ARGUMENT:
// `address` is not host:port, or as CheckMayListen(). UNAVAILABLE: port in use, or host is not this machine.
absl::StatusOr<ListeningServer> ListenAt(const std::string& address,
                                         const std::vector<grpc::Service*>& services,
                                         const ListenOptions& options = {});

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_CHANNEL_H_
