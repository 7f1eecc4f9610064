// Where on the data's way: common/program, before a connection; an address as flags and messages give it.
#ifndef DOWNPOUR_COMMON_PROGRAM_HOST_PORT_H_
#define DOWNPOUR_COMMON_PROGRAM_HOST_PORT_H_

#include <string>

#include "absl/status/statusor.h"

namespace downpour {

struct HostPort {
  std::string host;  // a name, or an IPv4 or IPv6 address; without brackets
  int port = 0;      // 0 to 65535

  // In brackets if it is an IPv6 address, as it stands before ":port".
  std::string HostInUrl() const;
  // Whether only this machine can connect there: the name localhost, or an address of the loopback interface.
  bool IsLoopback() const;
};

// INVALID_ARGUMENT: `address` is not host:port with a host of letters, digits, dots, hyphens and underscores,
// or an IPv6 address in brackets, and a port from 0.
absl::StatusOr<HostPort> ParseHostPort(const std::string& address);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_HOST_PORT_H_
