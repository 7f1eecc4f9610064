// Where on the data's way: writes all of a chunk message but its tensor, and reads any encoding of one.
#include "common/wire/chunk_codec.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <bit>

#include "common/status_macros.h"
#include "common/wire/serialize.h"

namespace downpour {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

static_assert(std::endian::native == std::endian::little,
              "the wire's elements are little-endian, and sent as they lie");

constexpr uint32_t kPayloadTag = WireFormatLite::MakeTag(15, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("chunk message: ", what));
}

absl::StatusOr<absl::string_view> ReadPayload(CodedInputStream& coded, absl::Span<char> buffer) {
  uint32_t bytes = 0;
  if (!coded.ReadVarint32(&bytes)) return Malformed("ends within the length of its tensor");
  if (bytes > buffer.size()) {
    return Malformed(absl::StrCat("a tensor of ", bytes, " bytes, want at most ", buffer.size()));
  }
  if (bytes == 0) return absl::string_view();
  const void* piece = nullptr;
  int piece_bytes = 0;
  if (coded.GetDirectBufferPointer(&piece, &piece_bytes) && static_cast<uint32_t>(piece_bytes) >= bytes &&
      reinterpret_cast<uintptr_t>(piece) % alignof(float) == 0) {
    coded.Skip(static_cast<int>(bytes));
    return absl::string_view(static_cast<const char*>(piece), bytes);
  }
  if (!coded.ReadRaw(buffer.data(), static_cast<int>(bytes))) {
    return Malformed(absl::StrCat("ends before the ", bytes, " bytes of its tensor do"));
  }
  return absl::string_view(buffer.data(), bytes);
}

}  // namespace

std::string EncodeChunkPrefix(const google::protobuf::MessageLite& fields, int64_t payload_bytes) {
  std::string prefix = SerializeSmall(fields);
  {
    StringOutputStream stream(&prefix);
    CodedOutputStream coded(&stream);  // writes to `prefix` until it is destroyed
    coded.WriteTag(kPayloadTag);
    coded.WriteVarint64(payload_bytes);
  }
  return prefix;
}

absl::StatusOr<absl::string_view> DecodeChunk(google::protobuf::io::ZeroCopyInputStream* input,
                                              absl::Span<char> buffer,
                                              google::protobuf::MessageLite* fields) {
  CodedInputStream coded(input);
  coded.SetTotalBytesLimit(static_cast<int>(buffer.size() + kMostFieldBytes));
  absl::string_view payload;
  std::string other_fields;
  {
    StringOutputStream stream(&other_fields);
    CodedOutputStream others(&stream);
    while (const uint32_t tag = coded.ReadTag()) {
      if (tag == kPayloadTag) {
        ASSIGN_OR_RETURN(payload, ReadPayload(coded, buffer));
      } else if (!WireFormatLite::SkipField(&coded, tag, &others)) {
        return Malformed(absl::StrCat("field ", tag >> 3, " is truncated, malformed or too long"));
      }
    }
  }
  if (!coded.ConsumedEntireMessage()) {
    return Malformed(absl::StrCat("malformed after ", coded.CurrentPosition(), " bytes"));
  }
  if (!fields->ParseFromString(other_fields)) return Malformed("its fields cannot be parsed");
  return payload;
}

}  // namespace downpour
