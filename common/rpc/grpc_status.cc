// Where on the data's way: casts a status code: the two status types number their codes alike.
#include "common/rpc/grpc_status.h"

#include <string>

namespace downpour {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

}  // namespace downpour
