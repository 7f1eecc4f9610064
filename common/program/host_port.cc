// Where on the data's way: common/program, before a connection; splits an address at its last colon.
#include "common/program/host_port.h"

#include <arpa/inet.h>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/program/logging.h"

namespace downpour {

std::string HostPort::HostInUrl() const {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : host;
}

bool HostPort::IsLoopback() const {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

absl::StatusOr<HostPort> ParseHostPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  HostPort parsed;
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  bool good = absl::c_all_of(port, absl::ascii_isdigit) && absl::SimpleAtoi(port, &parsed.port) &&
              parsed.port <= 65535;
  parsed.host = address.substr(0, colon);
  const bool in_brackets = parsed.host.size() > 2 && parsed.host.front() == '[' && parsed.host.back() == ']';
  if (in_brackets) parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  const auto allowed = [&](char c) {
    return in_brackets ? absl::ascii_isxdigit(c) || c == ':' || c == '.'
                       : absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
  };
  good = good && !parsed.host.empty() && absl::c_all_of(parsed.host, allowed);
  if (good) return parsed;
  return absl::InvalidArgumentError(
      absl::StrCat("address is '", OneLine(address), "', want host:port, with a port from 0 to 65535"));
}

}  // namespace downpour
