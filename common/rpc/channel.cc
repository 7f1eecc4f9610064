// Where on the data's way: sets gRPC's limits, frame sizes and timeouts.
#include "common/rpc/channel.h"

#include <grpc/grpc.h>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/program/host_port.h"
#include "common/status_macros.h"
#include "common/wire/chunk_codec.h"

namespace downpour {
namespace {

constexpr int kAheadBytes = 64 * 1024;
// For all connections of a server together. Near this limit gRPC frees the megabyte that each connection
// would otherwise keep ready for its next message.
constexpr size_t kReadBufferBytes = size_t{32} * 1024 * 1024;
constexpr int kKeepaliveMs = 10'000;
constexpr int kIdleMs = 60'000;              // without a call; a replica's next one connects again
constexpr int kHandshakeMs = 10'000;         // until a new connection speaks HTTP/2
constexpr int kReconnectMs[] = {100, 1000};  // first and longest wait before a new attempt to connect
constexpr int kConnectTimeoutMs = 5'000;     // of one attempt

// Sets the arguments that both ends have in common. A stream that nobody reads yet may send kAheadBytes and
// no more (gRPC would raise that on a fast link). Once its message is being read, the stream may send all of
// it, in frames larger than gRPC's 16 KiB.
template <typename Set>
void SetTransportArguments(Set set) {
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kAheadBytes);
  set(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kChunkBytes);
  set(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, 2 * kChunkBytes);
  set(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // gRPC compares a message's size with the limit only after it has inflated it, so nothing is inflated.
  set(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
}

}  // namespace

std::shared_ptr<grpc::Channel> ConnectTo(const std::string& address, const Peer& peer, int connection) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMostMessageBytes);
  SetTransportArguments([&](const char* name, int value) { arguments.SetInt(name, value); });
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs[0]);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs[1]);
  // A coordinator or shard may come back under its name at a new address; gRPC would look again after 30 s.
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, kReconnectMs[1]);
  // gRPC's own retries would keep references to gradients after a call has ended.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt("downpour.connection", connection);
  const std::shared_ptr<grpc::ChannelCredentials> credentials =
      peer.credentials == nullptr ? grpc::InsecureChannelCredentials() : peer.credentials->ForPeer(peer.role);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

absl::Status AwaitConnection(grpc::Channel& channel, const std::string& address) {
  if (channel.WaitForConnected(DeadlineIn(absl::Seconds(1)))) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("nobody answers at ", address));
}

void ShutDownServer::operator()(grpc::Server* server) const {
  acceptor->Stop();
  server->Shutdown(DeadlineIn(absl::Seconds(1)));
  delete server;
}

absl::StatusOr<ListeningServer> ListenAt(const std::string& address,
                                         const std::vector<grpc::Service*>& services,
                                         const ListenOptions& options) {
  const absl::StatusOr<HostPort> where = ParseHostPort(address);
  if (!where.ok())
    return absl::InvalidArgumentError(absl::StrCat("cannot listen: ", where.status().message()));
  const std::shared_ptr<Credentials> credentials =
      options.credentials == nullptr ? std::make_shared<Credentials>(Security()) : options.credentials;
  RETURN_IF_ERROR(CheckMayListen(*where, credentials->security()));
  ASSIGN_OR_RETURN(std::shared_ptr<ConnectionAcceptor> acceptor,
                   ConnectionAcceptor::Listen(where->HostInUrl(), where->port));
  // What the log should have of a server's troubles, these programs say themselves.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  using External = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  const std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> connections =
      builder.experimental().AddExternalConnectionAcceptor(External::FROM_FD, credentials->ForServer());
  builder.SetMaxReceiveMessageSize(options.most_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreams);
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP})
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  SetTransportArguments([&](const char* name, int value) { builder.AddChannelArgument(name, value); });
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kKeepaliveMs / 2);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  grpc::ResourceQuota quota;
  builder.SetResourceQuota(quota.Resize(kReadBufferBytes));
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server, ShutDownServer> server(builder.BuildAndStart().release(), {acceptor});
  if (server == nullptr) return absl::UnavailableError(absl::StrCat("cannot serve at ", address));
  acceptor->Start([connections](int listener, int connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = listener;
    parameters.fd = connection;
    connections->HandleNewConnection(&parameters);
  });
  return ListeningServer{std::move(server), absl::StrCat(where->HostInUrl(), ":", acceptor->port())};
}

}  // namespace downpour
