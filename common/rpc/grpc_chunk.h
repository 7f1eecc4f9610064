// Where on the data's way: on the wire; chunk messages as gRPC byte buffers, around the tensor's own memory.
#ifndef DOWNPOUR_COMMON_RPC_GRPC_CHUNK_H_
#define DOWNPOUR_COMMON_RPC_GRPC_CHUNK_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace downpour {

// The message of common/wire/chunk_codec.h with a tensor of the pieces of `payload`, which are not copied.
grpc::ByteBuffer EncodeChunk(const google::protobuf::MessageLite& fields,
                             absl::Span<const grpc::Slice> payload);

// As DecodeChunk() of common/wire/chunk_codec.h; the result may refer to `message`, which must outlive it.
absl::StatusOr<absl::string_view> DecodeChunk(grpc::ByteBuffer* message, absl::Span<char> buffer,
                                              google::protobuf::MessageLite* fields);

// For messages without a tensor. INVALID_ARGUMENT: `bytes` are no message of that type.
grpc::ByteBuffer SerializeMessage(const google::protobuf::MessageLite& message);
absl::Status ParseMessage(grpc::ByteBuffer* bytes, google::protobuf::MessageLite* message);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_GRPC_CHUNK_H_
