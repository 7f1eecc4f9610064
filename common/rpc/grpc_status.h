// Where on the data's way: at both ends of the wire; absl::Status to grpc::Status and back.
#ifndef DOWNPOUR_COMMON_RPC_GRPC_STATUS_H_
#define DOWNPOUR_COMMON_RPC_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace downpour {

// Both keep the code and the message. Thread-safe.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_GRPC_STATUS_H_
