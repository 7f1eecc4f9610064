// Where on the data's way: the wire; a piece of gradient or parameters as bytes, framed around its own
// memory.
#ifndef DOWNPOUR_COMMON_WIRE_CHUNK_CODEC_H_
#define DOWNPOUR_COMMON_WIRE_CHUNK_CODEC_H_

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace downpour {

// Replicas cut what they push into chunks of this many elements, from the shard's first key on, and shards take no longer
// ones; a shard locks its parameters in segments of the same cut.
inline constexpr int64_t kChunkElements = int64_t{256} * 1024;
// What a chunk holds at most: as many float32. Shards fill it when they send bfloat16, too.
inline constexpr int64_t kChunkBytes = kChunkElements * static_cast<int64_t>(sizeof(float));

// PushChunk and FetchChunk are ordinary protobuf messages whose tensor is field 15, `bytes`, written last:
//   [the other fields, serialised] [0x7a: field 15, length-delimited] [varint: payload bytes] [payload]
// e.g. begin = 5 and one element 1.0f: 10 05 | 7a | 04 | 00 00 80 3f.

// All of that but the payload, which the sender puts behind it without copying. `fields` has field 15 unset.
std::string EncodeChunkPrefix(const google::protobuf::MessageLite& fields, int64_t payload_bytes);

// Takes any conforming encoding of such a message, and any other bytes without harm: fills `fields` with all
// but the payload and returns the payload. It lies in the memory `input` refers to where it is there in one piece that is
// aligned for float32; otherwise it is copied to the start of `buffer`, whose size is the longest payload taken.
// INVALID_ARGUMENT, saying what was seen and what was wanted: a malformed or truncated message, a payload
// longer than `buffer`, or a message longer than `buffer` and 64 KiB besides.
absl::StatusOr<absl::string_view> DecodeChunk(google::protobuf::io::ZeroCopyInputStream* input,
                                              absl::Span<char> buffer, google::protobuf::MessageLite* fields);

// A payload's elements: float32, or bfloat16 as uint16_t. INVALID_ARGUMENT: no whole number of them.
template <typename Element>
absl::StatusOr<absl::Span<const Element>> ChunkElements(absl::string_view payload) {
  if (payload.size() % sizeof(Element) == 0)
    return absl::MakeConstSpan(reinterpret_cast<const Element*>(payload.data()),
                               payload.size() / sizeof(Element));
  return absl::InvalidArgumentError(absl::StrCat("chunk message: a tensor of ", payload.size(),
                                                 " bytes, want a multiple of ", sizeof(Element)));
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_CHUNK_CODEC_H_
