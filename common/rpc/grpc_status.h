// Where on the data's way: at both ends of the wire; absl::Status to grpc::Status and back.
#ifndef DOWNPOUR_COMMON_RPC_GRPC_STATUS_H_
#define DOWNPOUR_COMMON_RPC_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/program/logging.h"

namespace downpour {

// Both keep the code, which the two types number alike, and the message, but what comes from the network is
// made one line, since it ends in a log or on a terminal. Thread-safe.
inline grpc::Status ToGrpcStatus(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}
inline absl::Status FromGrpcStatus(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), OneLine(status.error_message())};
}

// Of a call that this process has not cancelled. CANCELLED, which no peer answers, then says that the peer
// has ended the call in the middle, as it stops or as the call did not move on: that is UNAVAILABLE.
inline absl::Status FromUncancelledCall(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::CANCELLED) return FromGrpcStatus(status);
  return absl::UnavailableError(
      absl::StrCat("the peer has ended the call: ", OneLine(status.error_message())));
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_GRPC_STATUS_H_
