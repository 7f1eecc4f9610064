// Where on the data's way: puts a message's fields and its tensor into one byte buffer, and takes them out.
#include "common/rpc/grpc_chunk.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/wire/chunk_codec.h"
#include "common/wire/serialize.h"

namespace downpour {

grpc::ByteBuffer EncodeChunk(const google::protobuf::MessageLite& fields,
                             absl::Span<const grpc::Slice> payload) {
  size_t bytes = 0;
  for (const grpc::Slice& piece : payload) bytes += piece.size();
  std::vector<grpc::Slice> slices = {grpc::Slice(EncodeChunkPrefix(fields, static_cast<int64_t>(bytes)))};
  slices.insert(slices.end(), payload.begin(), payload.end());
  return {slices.data(), slices.size()};
}

absl::StatusOr<absl::string_view> DecodeChunk(grpc::ByteBuffer* message, absl::Span<char> buffer,
                                              google::protobuf::MessageLite* fields) {
  grpc::ProtoBufferReader reader(message);
  if (!reader.status().ok()) return absl::InvalidArgumentError("chunk message: empty");
  return DecodeChunk(&reader, buffer, fields);
}

grpc::ByteBuffer SerializeMessage(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(SerializeSmall(message));
  return {&slice, 1};
}

absl::Status ParseMessage(grpc::ByteBuffer* bytes, google::protobuf::MessageLite* message) {
  grpc::ProtoBufferReader reader(bytes);
  if (reader.status().ok() && message->ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("not a ", message->GetTypeName()));
}

}  // namespace downpour
