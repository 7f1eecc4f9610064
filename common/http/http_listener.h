// Where on the data's way: beside it; pages and metrics leave a program by HTTP, at an address of their own.
#ifndef DOWNPOUR_COMMON_HTTP_HTTP_LISTENER_H_
#define DOWNPOUR_COMMON_HTTP_HTTP_LISTENER_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

namespace httplib {
class Server;
}

namespace downpour {

// Serves requests on threads of its own until it is destroyed. The connections are not encrypted; one line of
// the log warns if others than this machine may connect. Thread-safe.
class HttpListener {
 public:
  // Listens at host:port; port 0 takes a free one. `server` has its handlers. INVALID_ARGUMENT: `address` is
  // not host:port. UNAVAILABLE: the port is in use, or host is not this machine.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Start(const std::string& address,
                                                             std::unique_ptr<httplib::Server> server);
  // Ends when the requests under way have ended. Handlers that stream without end must look for that.
  ~HttpListener();

  const std::string& address() const { return address_; }  // host:port, with the port that was taken

 private:
  HttpListener(std::unique_ptr<httplib::Server> server, std::string address);

  const std::unique_ptr<httplib::Server> server_;
  const std::string address_;
  std::thread thread_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_HTTP_HTTP_LISTENER_H_
