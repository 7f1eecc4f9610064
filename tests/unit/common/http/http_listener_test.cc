// Where on the data's way: beside it; pages and metrics for clients that go away in the middle.
#include "common/http/http_listener.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "common/program/host_port.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

constexpr size_t kPageBytes = size_t{4} << 20;  // more than a socket takes at once

// Connects, asks for the page, reads a little of it and resets the connection.
void AskAndGoAway(int port) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
  ASSERT_EQ(send(client, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  char first[100];
  ASSERT_GT(recv(client, first, sizeof(first), 0), 0);
  const linger reset = {1, 0};
  setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  close(client);
}

// A write to a connection that is gone raises SIGPIPE, which would end the program. The library looks first
// whether a connection is there, so that this happens seldom.
TEST(HttpListenerTest, OutlivesClientsThatGoAwayInTheMiddleOfAPage) {
  const auto listener = HttpListener::Start("127.0.0.1:0", {}, [](httplib::Server* server) {
    server->Get("/", [](const httplib::Request&, httplib::Response& response) {
      response.set_chunked_content_provider("text/plain", [](size_t, httplib::DataSink& sink) {
        const std::string piece(kPageBytes, 'x');
        for (int i = 0; i < 4; ++i) sink.write(piece.data(), piece.size());
        sink.done();
        return true;
      });
    });
  });
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_EQ(std::signal(SIGPIPE, SIG_IGN), SIG_IGN);
  const HostPort where = *ParseHostPort((*listener)->address());
  for (int i = 0; i < 20; ++i) AskAndGoAway(where.port);
  const httplib::Result page = httplib::Client(where.host, where.port).Get("/");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->body.size(), 4 * kPageBytes);
}

}  // namespace
}  // namespace downpour
