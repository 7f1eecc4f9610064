// Where on the data's way: at the server's end of the wire; lets connections in, as long as there is room.
#ifndef DOWNPOUR_COMMON_RPC_CONNECTION_ACCEPTOR_H_
#define DOWNPOUR_COMMON_RPC_CONNECTION_ACCEPTOR_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "common/file/file_descriptor.h"

namespace downpour {

// Listens at a port on a thread of its own. gRPC's own listener would stop for ever at the first connection
// for which there is no descriptor, and would leave none to the disk. This one closes a connection whose
// descriptor is not below ConnectionDescriptorsEnd() (common/program/descriptor_limit.h), and goes on; the
// peer then tries again. Thread-safe.
class ConnectionAcceptor {
 public:
  // Listens at the first address of `host` that this machine has; port 0 takes a free one. UNAVAILABLE: the
  // port is in use, or host is not an address of this machine.
  static absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> Listen(const std::string& host, int port);
  ~ConnectionAcceptor() { Stop(); }

  int port() const { return port_; }
  // Gives connections to `take`, which then owns them, from now on. To be called once.
  void Start(std::function<void(int listener, int connection)> take);
  // Frees the port; returns when `take` is not being called and will not be again.
  void Stop();

 private:
  ConnectionAcceptor(FileDescriptor listener, int port) : listener_(std::move(listener)), port_(port) {}
  void Accept(const std::function<void(int listener, int connection)>& take) const;

  FileDescriptor listener_;
  const int port_;
  std::thread thread_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_CONNECTION_ACCEPTOR_H_
