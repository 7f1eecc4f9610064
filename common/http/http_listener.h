// Where on the data's way: beside it; pages and metrics leave a program by HTTP, at an address of their own.
#ifndef DOWNPOUR_COMMON_HTTP_HTTP_LISTENER_H_
#define DOWNPOUR_COMMON_HTTP_HTTP_LISTENER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "common/tls/identity.h"

namespace httplib {
class Server;
}

namespace downpour {

// Serves requests on threads of its own until it is destroyed. Thread-safe. A program that has started one
// ignores SIGPIPE. On loopback connections are plain HTTP, for people and what runs beside the program. Off
// loopback they are HTTPS, and a client shows a certificate of the authority with the role observer, or is
// answered 403; without TLS one line of the log says that nothing is encrypted.
class HttpListener {
 public:
  // Listens at host:port; port 0 takes a free one. `set_up` gives the server its handlers. INVALID_ARGUMENT:
  // `address` is not host:port, or as CheckMayListen(). UNAVAILABLE: the port is in use, or the host
  // is not this machine.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Start(
      const std::string& address, const Security& security,
      const std::function<void(httplib::Server*)>& set_up);
  // Ends when the requests under way have ended. Handlers that stream without end must look for that.
  ~HttpListener();

  const std::string& address() const { return address_; }  // host:port, with the port that was taken
  const std::string& url() const { return url_; }          // with http or https before it

 private:
  HttpListener(std::unique_ptr<httplib::Server> server, std::string address, bool has_tls);

  const std::unique_ptr<httplib::Server> server_;
  const std::string address_;
  const std::string url_;
  std::thread thread_;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_HTTP_HTTP_LISTENER_H_
